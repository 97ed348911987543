"""Results of other stages that the front page and the model card show."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

from homei.storage import lake

REPORTS = Path("reports")
RESULTS = {
    "quality": REPORTS / "quality/quality.json",
    "resolved": REPORTS / "resolve/resolve.json",
    "best": Path("models/tuning/best.json"),
    "meta": Path("models/valuation/meta.json"),
    "metrics": REPORTS / "evaluation/metrics.json",
    "slices": REPORTS / "evaluation/slices.csv",
    "pairs": REPORTS / "evaluation/predicted_actual.csv",
    "deciles": REPORTS / "evaluation/ratio_by_decile.csv",
    "months": REPORTS / "evaluation/error_by_month.csv",
    "areas": REPORTS / "evaluation/error_map.csv",
    "backtest": REPORTS / "backtest/backtest.json",
    "drift": REPORTS / "drift/drift.json",
    "bento": Path("models/bento.json"),
    "index": lake.MARKET_INDEX,
}
_READERS = {".json": lake.read_json, ".csv": lake.read_csv, "": lake.read}


def read_results(names: Iterable[str]) -> SimpleNamespace:
    """The results of these names in RESULTS: JSON as it is, tables as frames; raises MissingTableError."""
    return SimpleNamespace(**{name: _READERS[RESULTS[name].suffix](RESULTS[name]) for name in names})
