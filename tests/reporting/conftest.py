"""Small, invented outputs of the stages before `site`."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from homei.reporting import feed_views
from homei.storage import lake

DECILES = range(1, 11)
REPORTS = (
    "quality/quality", "curated/data_quality", "curated/dictionary", "drift/drift", "drift/data_drift",
    "drift/regression", "evaluation/evaluate", "backtest/backtest", "card/model_card", "card/quality_control",
)  # fmt: skip


def study(mdape, n=1200):
    """An invented ratio study with plausible numbers."""
    shares = {"ppe5": 0.66, "ppe10": 0.93, "ppe20": 0.99, "r2": 0.95}
    return {
        "n": n,
        "mdape": mdape,
        "mape": mdape * 1.3,
        **shares,
        "median_ratio": 1.003,
        "cod": 0.04,
        "prd": 1.001,
        "prb": -0.004,
    }


VERDICTS = {
    "median_ratio": (1.003, 0.9, 1.1), "cod": (0.051, 0.05, 0.15), "prd": (1.001, 0.98, 1.03),
    "prb": (-0.004, -0.05, 0.05), "mki": (0.99, 0.95, 1.05), "vei": (-0.01, -0.1, 0.1),
    "better_than_naive": (0.61, 0.0, None), "better_than_linear": (0.31, 0.0, None),
    "coverage": (0.893, 0.87, 0.93), "noise_floor": (1.41, None, 1.5),
}  # fmt: skip


PERIODS = {
    "first_month": "2021-01", "last_month": "2025-12", "months_with_sales": 60, "split.tested_months": 12, "note": "",
}  # fmt: skip
SHARES = {"coverage": 0.9, "low": 0.87, "high": 0.93, "width": 0.15}


def coverage_study(n):
    """An invented coverage study of `n` sales, in which no location has enough sales."""
    intervals = {"level": 0.9, "coverage": 0.893, "mean_relative_width": 0.15, "n": n}
    kinds = {"month": 12, "worth_decile": 10, "valued_decile": 10, "location": 0}
    return {
        "intervals": intervals,
        "split_conformal": {**intervals, "mean_relative_width": 0.16},
        "coverage": {
            kind: [{"value": f"{kind} {number}", "n": 200, **SHARES} for number in range(groups)]
            for kind, groups in kinds.items()
        },
    }


@pytest.fixture
def metrics():
    return {
        "source": "demo", "currency": "EUR", "as_of": "2025-12-31", "model": "lightgbm", "periods": PERIODS,
        "out_of_time": study(0.031), "random_split": study(0.028), "naive": study(0.081), "linear": study(0.045),
        "noise_floor": {**study(0.022), "basis": "twins"},
        **coverage_study(1200), "steady": {"without": [], **coverage_study(1200), "verdicts": []},
        "fairness": [],
        "confidence": {
            "largest_gap": 0.004, "margin": 0.01, "ok": True,
            "groups": [
                {"group": n, "n": 240, "stated": 0.96 - n / 100, "observed": 0.957 - n / 100, "low": 0.9, "high": 0.97}
                for n in range(1, 6)
            ],
        },
        "verdicts": [
            {"name": name, "value": value, "low": low, "high": high, "interval": [value - 0.002, value + 0.002],
             "ok": True, "text": f"A sentence about {name}."}
            for name, (value, low, high) in VERDICTS.items()
        ],
    }  # fmt: skip


@pytest.fixture
def backtest():
    names = ("better_than_untuned", "better_than_linear", "better_than_naive", "months_won", "coverage")
    errors = {"model": 0.027, "untuned": 0.029, "linear": 0.035, "naive": 0.07}
    return {
        "refit_months": 1, "calibration_months": 6, "periods": PERIODS, "months_won": {"won": 11, "of": 12},
        "months": [
            {"month": f"2025-{month:02d}", "n": 200, **{name: study(error) for name, error in errors.items()}, **SHARES}
            for month in range(1, 13)
        ],
        "pooled": {name: {**study(error, 2400), "mdape_interval": [error, error]} for name, error in errors.items()},
        **coverage_study(2400), "steady": {"without": [], **coverage_study(2400), "verdicts": []},
        "verdicts": [
            {"name": name, "value": 0.1, "low": 0.0, "high": None, "interval": [None, None], "ok": True, "text": "Yes."}
            for name in names
        ],
    }  # fmt: skip


@pytest.fixture
def drift():
    names = ["square_meters", "floor", "location", "market_level"]
    return {
        "reference": {"months": ["2022-01", "2025-06"], "rows": 5000},
        "current": {"months": ["2025-07", "2025-12"], "rows": 900},
        "columns": [
            {"column": name, "drifted": name == "market_level", "method": "Wasserstein", "score": 0.1, "threshold": 0.1}
            for name in names
        ],
        "drifted_share": 0.25, "limit": 0.5, "locations": [], "shifted_locations": [],
        "drifted": False, "regression": {},
        "verdict": "No drift: one of four attributes moved.",
    }  # fmt: skip


@pytest.fixture
def quality():
    return {
        "rows": 30000, "valid": 29500, "rejected": 500, "share": 500 / 30000, "limit": 0.2, "ok": True,
        "reasons": [{"reason": "price: missing", "rows": 500, "share": 500 / 30000}],
        "files": [{"file": "sales.csv", "rows": 30000, "rejected": 500}],
        "columns": [{"column": "price", "present": 0.98}],
        "tables": [
            {"table": "sales", "feed": "register", "rows": 30000, "rejected": 500},
            {"table": "sales", "feed": "brokers", "rows": 300, "rejected": 0},
            {"table": "listings", "feed": "rival", "rows": 400, "rejected": 4},
            {"table": "customers", "feed": "crm", "rows": 2500, "rejected": 0},
        ],
    }  # fmt: skip


@pytest.fixture
def resolved():
    return {
        "properties": 9000, "sales": 29500, "market_sales": 29200, "flagged_share": 0.0102,
        "reasons": [{"reason": reason, "sales": 50 * place} for place, reason in enumerate(feed_views.REASONS)],
        "merged": [{"feed": "brokers", "sales": 280}],
        "listings": [{"feed": "rival", "listings": 396, "of_sold_properties": 370, "duplicates": 240}],
        "truth": None, "nominal_price": 1000.0,
    }  # fmt: skip


@pytest.fixture
def project(tmp_path, monkeypatch, backtest, metrics, drift, quality, resolved) -> Path:
    """The current folder, with all files that the front page reads and links to."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(7)
    lake.write_json(backtest, Path("reports/backtest/backtest.json"))
    lake.write_json(metrics, Path("reports/evaluation/metrics.json"))
    lake.write_json(drift, Path("reports/drift/drift.json"))
    lake.write_json(quality, Path("reports/quality/quality.json"))
    lake.write_json(resolved, Path("reports/resolve/resolve.json"))
    versions = {"model_version": "aaaaaaaaaaaa", "data_version": "bbbbbbbbbbbb"}
    lake.write_json({"tag": "valuation:0123456789ab", **versions}, Path("models/bento.json"))
    lake.write_json(
        {"name": "lightgbm", "parameters": {"num_leaves": 43}, "is_tuned": True}, Path("models/tuning/best.json")
    )
    meta = {
        "currency": "EUR", "as_of": "2025-12-31", "level": 0.9, "numeric": ["square_meters"], "trained_on": 24680,
        "categorical": ["location"], "data_version": "bbbbbbbbbbbb", "months": [2021 * 12, 2025 * 12 + 11],
        "applicability": {
            "locations": {"Marlholt": 24680},
            "policy": {"widen": {"no_comparable": 1.5}, "refuse": [["unknown_location", "no_comparable"]]},
        },
    }  # fmt: skip
    lake.write_json(meta, Path("models/valuation/meta.json"))
    index_months = np.arange(2021 * 12, 2026 * 12 + 1)
    lake.write(pd.DataFrame({"month": index_months, "market_level": 8 + 0.004 * np.arange(61)}), lake.MARKET_INDEX)
    actual = np.exp(random.normal(12.8, 0.4, 3000))
    for name, frame in {
        "predicted_actual": {"actual": actual, "predicted": actual * np.exp(random.normal(0, 0.05, 3000))},
        "ratio_by_decile": {"decile": DECILES, "n": 120, "median_ratio": [1.02 - 0.004 * d for d in DECILES],
                            "low": [1.01 - 0.004 * d for d in DECILES], "high": [1.03 - 0.004 * d for d in DECILES]},
        "error_by_month": {"month": [f"2025-{month:02d}" for month in range(7, 13)], "n": 200,
                           "mdape": [0.029, 0.03, 0.031, 0.03, 0.033, 0.032], "low": 0.027, "high": 0.035},
        "error_map": _cells(random),
        "slices": {"slice": "location", "value": [f"District {n}" for n in range(14)], "n": 90,
                   "mdape": np.linspace(0.02, 0.06, 14), "mdape_low": np.linspace(0.015, 0.05, 14),
                   "mdape_high": np.linspace(0.025, 0.07, 14), "ppe10": 0.9, "median_ratio": 1.0, "cod": 0.05,
                   "prd": 1.0},
    }.items():  # fmt: skip
        lake.write_text(pd.DataFrame(frame).to_csv(index=False), Path(f"reports/evaluation/{name}.csv"))
    for report in (*REPORTS, "notebooks/explore", "notebooks/train"):
        lake.write_text("<!DOCTYPE html><title>a report</title>", Path(f"reports/{report}.html"))
    return tmp_path


def _cells(random):
    places = [(x, y) for x in range(14) for y in range(9) if math.hypot((x - 6.5) / 7, (y - 4) / 4.5) < 1]
    longitude, latitude = np.array(places, dtype=float).T
    return {
        "longitude": -30 + longitude * 0.025, "latitude": 45 + latitude * 0.018, "mdape": 0.03,
        "median_error": random.normal(0, 0.02, len(places)), "n": random.integers(5, 60, len(places)),
    }  # fmt: skip
