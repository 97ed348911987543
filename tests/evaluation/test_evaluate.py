"""The evaluation of a small simulated city with known noise."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from homei.config import params
from homei.config.city import Group
from homei.evaluation import evaluate, plot_tables
from homei.evaluation.config import Bands, EvaluateConfig, FairnessTolerance
from homei.evaluation.ratio_study import STATISTICS, rounded
from homei.training.config import IntervalsConfig, SplitConfig

SIGMA = 0.06
LAST = 2025 * 12 + 11
OWN = yaml.safe_load(Path("params/config.yaml").read_text(encoding="utf-8"))
P = SimpleNamespace(
    seed=3,
    city=params.source(yaml.safe_load(Path("params/city/demo.yaml").read_text(encoding="utf-8"))).city.model_copy(
        update={"groups": [Group(name="kind", column="property_type")]}
    ),
    features=params.section(
        "features", yaml.safe_load(Path("params/config.yaml").read_text(encoding="utf-8"))["features"]
    ),
    split=SplitConfig(hold_out_months=6, tested_months=12, warm_up_months=6),
    model=SimpleNamespace(name="lightgbm"),
    intervals=IntervalsConfig(level=0.9, folds=2),
    evaluate=EvaluateConfig(
        min_slice=30,
        bootstrap=50,
        trim=3.0,
        bands=Bands(
            median_ratio=(0.9, 1.1),
            cod=(0.05, 0.15),
            prd=(0.98, 1.03),
            prb=(-0.05, 0.05),
            mki=(0.95, 1.05),
            vei=(-0.1, 0.1),
        ),
        tolerance=FairnessTolerance(level=0.05, error=0.02),
    ),
)


def city(months=24, a_month=100, seed=2):
    """Sales, predictions that are exact except for noise, and true prices."""
    random = np.random.default_rng(seed)
    month = np.repeat(np.arange(LAST - months + 1, LAST + 1), a_month)
    n = len(month)
    size = random.normal(80, 20, n).clip(20)
    value = 3_000 * size * np.exp(random.normal(0, 0.3, n))
    unknown = ["bedrooms", "bathrooms", "floor", *P.city.attributes.names]
    sales = pd.DataFrame({
        **dict.fromkeys(unknown, np.nan),
        "transaction_id": [f"T{number:05d}" for number in range(n)], "property_id": None, "month": month,
        "price": value * np.exp(random.normal(0, SIGMA, n)), "square_meters": size,
        "property_type": random.choice(["flat", "house"], n), "location": random.choice(["Hill", "Dale"], n),
        "year_built": 1960.0 + random.integers(0, 50, n), "latitude": 45 + 0.02 * random.normal(size=n),
        "longitude": -30 + 0.02 * random.normal(size=n), "market_level": np.where(month == month[0], np.nan, 8.0),
    })  # fmt: skip
    sales.loc[::9, ["latitude", "longitude"]] = np.nan
    reach = np.exp(1.645 * SIGMA)
    predictions = sales[["transaction_id", "month", "price"]].assign(
        predicted=value, low=value / reach, high=value * reach, deviation=SIGMA,
        part=np.where(month > LAST - 6, "hold_out", "rolling_origin"),
    )  # fmt: skip
    truth = sales[["transaction_id"]].assign(true_price=value, fault=None, non_market=None)
    return sales, predictions[month > LAST - 12], truth


class ByArea:
    """A recipe that predicts the median price per m² and records its training sales."""

    def __init__(self):
        self.training = []

    def linear(self):
        return self

    def prices(self, training, test):
        self.training.append(training)
        return (training["price"] / training["square_meters"]).median() * test["square_meters"].to_numpy()


NONE_FLAGGED = pd.DataFrame({"price": [], "predicted": []})


def evaluate_city(recipe=None, flagged=NONE_FLAGGED):
    sales, predictions, truth = city()
    return evaluate.evaluate_predictions(sales, predictions, flagged, truth, recipe or ByArea(), P)


@pytest.fixture(scope="module")
def evaluation():
    return evaluate_city()


def test_metrics_have_their_documented_names(evaluation):
    metrics = evaluation.metrics
    assert [metrics[name] for name in ("source", "currency", "as_of", "model")] == [
        "demo",
        "EUR",
        "2025-12-31",
        "lightgbm",
    ]
    for name in ("out_of_time", "random_split", "naive", "linear", "noise_floor"):
        assert {"n", *STATISTICS} <= set(metrics[name]), name
    assert set(metrics["intervals"]) == {"level", "coverage", "mean_relative_width", "n"}
    assert [set(verdict) for verdict in metrics["verdicts"]] == [
        {"name", "value", "low", "high", "interval", "ok", "text"} | ({"outside"} if groups else set())
        for groups in [False] * 9 + [True] * 4 + [False] * 3
    ]


def test_an_ideal_model_reaches_the_noise_floor_and_beats_its_baselines(evaluation):
    metrics = evaluation.metrics
    assert metrics["noise_floor"]["basis"] == "known noise"
    assert metrics["out_of_time"]["mdape"] == pytest.approx(metrics["noise_floor"]["mdape"], rel=1e-6)
    assert metrics["out_of_time"]["mdape"] == pytest.approx(0.6745 * SIGMA, rel=0.15)
    assert metrics["naive"]["mdape"] > 0.15
    # Chance alone moves one of twenty deciles of 60 sales out of its band.
    assert [v["name"] for v in metrics["verdicts"] if not v["ok"] and "decile" not in v["name"]] == []


def test_an_ideal_model_is_fair(evaluation):
    (kind,) = evaluation.metrics["fairness"]
    assert (kind["name"], kind["shown"], kind["level"]["ok"], kind["error"]["ok"]) == ("kind", 2, True, True)
    assert evaluation.tables["fairness"]["value"].tolist() == ["flat", "house"]
    assert evaluation.metrics["vertical_equity"]["significance"] == 0
    lookalikes = evaluation.metrics["horizontal_equity"]["lookalikes"]
    assert lookalikes["low"] < lookalikes["cod"] < lookalikes["high"], (
        "noise alone is as large among similar properties"
    )


def test_the_ratio_study_is_raw_and_trimmed(evaluation):
    study = evaluation.metrics["ratio_study"]
    assert study["raw"]["n"] == study["trimmed"]["n"] + study["outliers"] == 600
    for name in STATISTICS:
        assert study["raw"][name]["value"] == evaluation.metrics["out_of_time"][name]


def test_outliers_change_the_raw_study_only():
    sales, predictions, _ = city()
    holdout = evaluate.valued_sales(sales, predictions)
    odd = holdout.assign(price=holdout["price"].where(holdout.index % 100 > 0, holdout["price"] / 20))
    before, after = (evaluate.ratio_studies(each, NONE_FLAGGED, P.evaluate, seed=1) for each in (holdout, odd))
    assert after["outliers"] == len(holdout) // 100 + before["outliers"]
    assert after["raw"]["cod"]["value"] > 3 * before["raw"]["cod"]["value"]
    assert after["trimmed"]["cod"]["value"] == pytest.approx(before["trimmed"]["cod"]["value"], rel=0.03)


def test_sales_that_are_excluded_by_their_price_are_only_in_the_study_with_them():
    flagged = pd.DataFrame({"price": [1e5] * 30, "predicted": [3e5] * 30})
    study = evaluate_city(flagged=flagged).metrics["ratio_study"]
    assert (study["flagged"], study["raw"]["n"], study["with_flagged"]["n"]) == (30, 600, 630)
    assert study["with_flagged"]["cod"]["value"] > study["raw"]["cod"]["value"] + 0.05


def test_a_baseline_without_any_value_is_left_out(evaluation):
    price = pd.Series([1.0, 2.0])
    assert evaluate.known_study(np.array([np.nan, np.nan]), price)["n"] == 0
    assert evaluate.known_study(np.array([np.nan, 2.0]), price)["n"] == 1


def test_intervals_have_their_nominal_coverage(evaluation):
    intervals = evaluation.metrics["intervals"]
    assert intervals["coverage"] == pytest.approx(0.9, abs=0.03)
    assert intervals["mean_relative_width"] == pytest.approx(2 * np.sinh(1.645 * SIGMA), rel=1e-4)


def test_coverage_is_measured_by_month_decile_and_location(evaluation):
    metrics = evaluation.metrics
    sizes = {kind: [group["n"] for group in groups] for kind, groups in metrics["coverage"].items()}
    assert sizes["month"] == [100] * 6
    assert sizes["worth_decile"] == sizes["valued_decile"] == [60] * 10
    assert sum(sizes["location"]) == 600 and len(sizes["location"]) == 2
    plain = metrics["split_conformal"]
    assert plain["n"] == 600
    assert plain["mean_relative_width"] == pytest.approx(metrics["intervals"]["mean_relative_width"], rel=0.1)
    assert metrics["steady"]["without"] == []


def test_split_conformal_intervals_use_rolling_origin_residuals():
    sales, predictions, _ = city()
    rolling = predictions["part"] == "rolling_origin"
    off = np.where(np.arange(rolling.sum()) % 20 < 17, 0.01, 0.2)
    predictions.loc[rolling, "predicted"] = predictions.loc[rolling, "price"] * np.exp(off)
    valued = evaluate.valued_sales(sales, predictions)
    holdout = evaluate.with_split_conformal(valued[valued["part"] == "hold_out"], valued, 0.9)
    assert np.allclose(np.log(holdout["plain_high"] / holdout["predicted"]), 0.2, atol=1e-6)
    assert np.allclose(np.log(holdout["plain_low"] / holdout["predicted"]), -0.2, atol=1e-6)


def test_metrics_are_json_of_six_decimals_without_nan(evaluation):
    reread = json.loads(json.dumps(evaluation.metrics, allow_nan=False))
    assert reread == evaluation.metrics
    assert reread == rounded(reread)


def test_only_error_by_month_includes_rolling_origin_predictions(evaluation):
    assert evaluation.metrics["out_of_time"]["n"] == 600
    months = evaluation.tables["error_by_month"]
    assert (months["month"].iloc[0], months["month"].iloc[-1], len(months)) == ("2025-01", "2025-12", 12)
    assert months["n"].eq(100).all()


def test_the_random_split_is_as_large_as_the_hold_out(evaluation):
    assert evaluation.metrics["random_split"]["n"] == 600


def test_a_random_split_is_complete_and_repeatable():
    sales, *_ = city()
    training, test = evaluate.random_split(sales, 0.2, seed=4)
    assert sorted([*training.index, *test.index]) == list(sales.index)
    assert len(test) == round(0.2 * len(sales))
    assert test.equals(evaluate.random_split(sales, 0.2, seed=4)[1])


def test_the_linear_baseline_is_trained_before_the_hold_out():
    recipe = ByArea()
    evaluate_city(recipe)
    by_linear, by_random = recipe.training
    # Of 24 months, 4 warm up and 4 are held out.
    assert (by_linear["month"].min(), by_linear["month"].max()) == (LAST - 24 + 1 + 4, LAST - 4)
    assert by_random["month"].max() == LAST, "a random split forgets time"


def test_the_error_map_covers_cells_with_enough_sales(evaluation):
    cells = evaluation.tables["error_map"]
    assert list(cells.columns) == ["longitude", "latitude", "n", "median_error", "mdape"]
    assert cells["n"].min() >= plot_tables.MIN_CELL_SALES
    assert cells["longitude"].between(-30.1, -29.9).all() and cells["latitude"].between(44.9, 45.1).all()


def test_a_city_without_coordinates_has_an_empty_error_map():
    sales, predictions, _ = city()
    sales[["latitude", "longitude"]] = np.nan
    assert plot_tables.error_map(evaluate.valued_sales(sales, predictions), P.city, P.features).empty


def test_all_tables_are_saved_beside_the_metrics(evaluation, tmp_path):
    evaluation.save(tmp_path)
    assert json.loads((tmp_path / "metrics.json").read_text()) == evaluation.metrics
    assert sorted(path.stem for path in tmp_path.glob("*.csv")) == sorted(evaluation.tables)
    decile = pd.read_csv(tmp_path / "ratio_by_decile.csv")
    assert list(decile.columns) == ["decile", "n", "median_ratio", "low", "high"]
    assert decile["decile"].tolist() == list(range(1, 11))


def test_the_same_seed_gives_the_same_bytes(evaluation, tmp_path):
    for folder in ("first", "second"):
        evaluate_city().save(tmp_path / folder)
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
