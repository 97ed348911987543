"""Stage `evaluate`: the valuations of the hold-out measured as an assessor would, beside rivals and the noise floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from homei import lake
from homei.config import Evaluate, Features
from homei.features import keys
from homei.features.columns import first_day, month_of
from homei.model import baselines, verdicts
from homei.model.confidence import confidence_study, confidence_table
from homei.model.coverage import coverage_study, coverage_verdicts, split_conformal, steady_study
from homei.model.drift import moved_locations
from homei.model.equity import horizontal_equity, vertical_equity
from homei.model.fairness import fairness
from homei.model.floor import noise_floor
from homei.model.ratio import bootstrap_interval, bootstrap_study, ratio_study, within_fences
from homei.model.recipe import Recipe, before_and_held, learnable
from homei.model.slices import price_decile, slices
from homei.source import Source

REPORTS = Path("reports/evaluation")
HOLD_OUT = "hold_out"
PAIRS = 5_000  # of price and value that the picture needs
FEWEST_IN_CELL = 5


@dataclass(frozen=True)
class Measured:
    """What metrics.json holds, and the tables beside it by name."""

    metrics: dict[str, Any]
    tables: dict[str, pd.DataFrame]

    def save(self, folder: Path = REPORTS) -> None:
        lake.write_json(self.metrics, folder / "metrics.json")
        for name, table in self.tables.items():
            lake.write_text(table.to_csv(index=False, lineterminator="\n"), folder / f"{name}.csv")


def assess(
    sales: pd.DataFrame, predictions: pd.DataFrame, truth: pd.DataFrame | None, recipe: Recipe, p: SimpleNamespace
) -> Measured:
    """All that is measured of the out-of-time predictions, from the sections source … evaluate of params.yaml in `p`.

    By the model's `recipe` a random split is learnt and valued as well, to show how much it flatters.
    """
    valued = valued_sales(sales, predictions)
    held = with_plain(valued[valued["part"] == HOLD_OUT].reset_index(drop=True), valued, p.intervals.level)
    before, _ = before_and_held(sales, month_of(p.source.as_of), p.split)
    rivals = {"naive": baselines.naive(sales, held), "linear": baselines.linear(recipe, before, held)}
    known = learnable(sales, p.split)
    learnt, asked = random_split(known, len(held) / len(known), p.seed)
    fair = fairness(held, p.source, p.evaluate, p.seed)
    found = {
        "source": p.source.name,
        "currency": p.source.currency,
        "as_of": p.source.as_of.isoformat(),
        "model": p.model.name,
        "out_of_time": ratio_study(held["predicted"], held["price"]),
        "random_split": ratio_study(recipe.prices(learnt, asked), asked["price"]),
        **{name: ratio_study(values, held["price"]) for name, values in rivals.items()},
        "noise_floor": noise_floor(sales, held, truth),
        **coverage_study(held, p.intervals.level),
        "steady": steady(held, moved_locations(sales, p.source, p.split), p),
        "ratio_study": raw_and_trimmed(held, p.evaluate, p.seed),
        "vertical_equity": vertical_equity(held["predicted"], held["price"]),
        "horizontal_equity": horizontal_equity(held, p.evaluate.bootstrap, p.seed),
        "fairness": fair.groups,
    }
    measured = tables(valued, held, p.source, p.features, p.evaluate, p.seed)
    found["confidence"] = confidence_study(measured["confidence"])
    found["verdicts"] = verdicts_of(held, rivals, found, p.evaluate, p.seed)
    return Measured(rounded(found), {**measured, "fairness": fair.table})


def valued_sales(sales: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """The out-of-time predictions (predicted, low, high, deviation, part) with the attributes of their sales."""
    columns = ["transaction_id", "predicted", "low", "high", "deviation", "part"]
    return predictions[columns].merge(sales, on="transaction_id", how="left", validate="one_to_one")


def random_split(sales: pd.DataFrame, share: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sales to learn from and a random `share` of them to value: what a study that forgets time would do."""
    asked = np.random.default_rng(seed).permutation(len(sales)) < round(share * len(sales))
    return sales[~asked], sales[asked]


def raw_and_trimmed(held: pd.DataFrame, evaluate: Evaluate, seed: int) -> dict[str, Any]:
    """The ratio study with its intervals, `raw` of all sales and `trimmed` of those within the fences.

    `reach` is how many interquartile ranges away these are, `outliers` how many sales lie beyond.
    """
    kept = held[within_fences(held["predicted"], held["price"], evaluate.trim)]
    raw, trimmed = (
        bootstrap_study(part["predicted"], part["price"], evaluate.bootstrap, seed) for part in (held, kept)
    )
    return {"reach": evaluate.trim, "outliers": len(held) - len(kept), "raw": raw, "trimmed": trimmed}


def with_plain(held: pd.DataFrame, valued: pd.DataFrame, level: float) -> pd.DataFrame:
    """The hold-out with the split-conformal intervals that the rolling origins of `valued` give."""
    earlier = valued[valued["part"] != HOLD_OUT]
    residuals = np.log(earlier["price"].to_numpy() / earlier["predicted"].to_numpy())
    return held.assign(**split_conformal(held["predicted"], residuals, level))


def steady(held: pd.DataFrame, moved: Sequence[str], p: SimpleNamespace) -> dict[str, Any]:
    """What intervals and confidence are worth outside the locations `moved`: a `steady_study`, one verdict more."""
    kept = held[~held["location"].isin(moved)]
    sure = confidence_study(confidence_table(kept, p.evaluate.bootstrap, p.seed))
    study = steady_study(held, p.intervals.level, moved)
    return {**study, "verdicts": [*study["verdicts"], verdicts.confidence_verdict(sure)]}


def verdicts_of(
    held: pd.DataFrame, rivals: Mapping[str, np.ndarray], found: Mapping[str, Any], evaluate: Evaluate, seed: int
) -> list[dict[str, Any]]:
    """All verdicts on the hold-out: the assessors' bands, the rivals, what the intervals hold, the noise floor."""
    values, price, draws = held["predicted"], held["price"], evaluate.bootstrap
    study = found["ratio_study"]["raw"]
    error = study["mdape"]["low"], study["mdape"]["high"]
    return [
        *verdicts.band_verdicts(study, found["vertical_equity"]["significance"], evaluate.bands),
        *(verdicts.rival_verdict(name, values, rivals[name], price, draws, seed) for name in rivals),
        *coverage_verdicts(found),
        verdicts.confidence_verdict(found["confidence"]),
        verdicts.floor_verdict(found["out_of_time"], error, found["noise_floor"]),
    ]


def tables(
    valued: pd.DataFrame, held: pd.DataFrame, source: Source, features: Features, evaluate: Evaluate, seed: int
) -> dict[str, pd.DataFrame]:
    """The tables behind the pictures: `valued` are all out-of-time predictions, `held` those of the hold-out."""
    return {
        "confidence": confidence_table(held, evaluate.bootstrap, seed),
        "predicted_actual": predicted_actual(held, seed),
        "ratio_by_decile": ratio_by_decile(held, evaluate.bootstrap, seed),
        "error_by_month": error_by_month(valued, evaluate.bootstrap, seed),
        "error_map": error_map(held, source, features),
        "slices": slices(held, evaluate.min_slice, evaluate.bootstrap, seed),
    }


def predicted_actual(held: pd.DataFrame, seed: int) -> pd.DataFrame:
    """actual and predicted of at most PAIRS sales, drawn with the seed."""
    drawn = held.sample(min(PAIRS, len(held)), random_state=seed).sort_values("transaction_id")
    return pd.DataFrame({"actual": drawn["price"], "predicted": drawn["predicted"]}).round(2)


def ratio_by_decile(held: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    """decile (of worth, see slices.price_decile), n, median_ratio, and its 95 % interval low, high."""
    groups = held.groupby(price_decile(held["predicted"], held["price"]))
    return _interval_rows("decile", groups, "median_ratio", draws, seed)


def error_by_month(valued: pd.DataFrame, draws: int, seed: int) -> pd.DataFrame:
    """month such as "2016-07", n, mdape, and its 95 % interval low, high, over all out-of-time predictions."""
    names = valued["month"].map({month: f"{first_day(month):%Y-%m}" for month in valued["month"].unique()})
    return _interval_rows("month", valued.groupby(names), "mdape", draws, seed)


def error_map(held: pd.DataFrame, source: Source, features: Features) -> pd.DataFrame:
    """longitude, latitude (the mean of its sales), n, median_error (signed) and mdape of each coarse cell of the city.

    Cells of fewer than FEWEST_IN_CELL sales and sales without coordinates are left out.
    """
    placed = held.dropna(subset=["latitude", "longitude"])
    x, y = keys.project(placed["latitude"], placed["longitude"], source.coordinates)
    column, row = keys.cell(x, y, features.cells.coarse, np.floor)
    error = placed["predicted"] / placed["price"] - 1
    cells = placed.assign(error=error, size=error.abs()).groupby([row.rename("row"), column.rename("column")])
    found = cells.agg(
        longitude=("longitude", "mean"),
        latitude=("latitude", "mean"),
        n=("error", "size"),
        median_error=("error", "median"),
        mdape=("size", "median"),
    )
    return found[found["n"] >= FEWEST_IN_CELL].reset_index(drop=True).round(6)


def rounded(value: Any) -> Any:
    """`value` with all its floats at 6 decimals, as plain Python numbers: what another processor would write, too."""
    if isinstance(value, Mapping):
        return {key: rounded(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(member) for member in value]
    return round(float(value), 6) if isinstance(value, float | np.floating) else value


def _interval_rows(key: str, groups: Any, statistic: str, draws: int, seed: int) -> pd.DataFrame:
    rows = []
    for name, members in groups:
        valued, price = members["predicted"], members["price"]
        low, high = bootstrap_interval(statistic, valued, price, draws, seed)
        study = ratio_study(valued, price)
        rows.append({key: name, "n": study["n"], statistic: study[statistic], "low": low, "high": high})
    return pd.DataFrame(rows).round(6)
