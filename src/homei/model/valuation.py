"""A valuation model as it is kept, loaded and asked: a price, an interval and a deviation for each property.

A folder holds model.txt (LightGBM) or model.joblib (scikit-learn), spread.txt, encoder.json and meta.json, which
records the SHA-256 of the others; they are compared before anything is loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from homei import lake
from homei.model import estimators
from homei.model.estimators import Estimator, LightGBM
from homei.model.gaps import Gaps
from homei.model.intervals import Spread
from homei.model.preprocess import Columns, Encoder, base, columns_of
from homei.model.reasons import Reasons, explain
from homei.model.scope import Scope

__all__ = ["Fitted", "Valuation", "ValuationError", "Values", "columns_of"]

MODELS = (LightGBM.file, estimators.Pipeline.file)
SPREAD, ENCODER, META = "spread.txt", "encoder.json", "meta.json"


class ValuationError(ValueError):
    """A model's folder that is not what was saved: the message names the file."""


class Values(NamedTuple):
    """Prices and the ends of their intervals, to the cent, and forecast standard deviations relative to the price.

    `flags` (homes × FLAGS) says in what respect a home is beyond what the model knows.
    """

    price: np.ndarray
    low: np.ndarray
    high: np.ndarray
    deviation: np.ndarray
    flags: np.ndarray


@dataclass(frozen=True)
class Fitted:
    """A model and the encoder of its inputs."""

    encoder: Encoder
    estimator: Estimator

    def logs(self, columns: Columns, matrix: np.ndarray | None = None) -> np.ndarray:
        """The logarithm of each value."""
        known = self.encoder.matrix(columns) if matrix is None else matrix
        return self.estimator.predict(known) + base(columns)

    def prices(self, columns: Columns) -> np.ndarray:
        """Each value, in the source's currency, to the cent."""
        return np.round(np.exp(self.logs(columns)), 2)


@dataclass(frozen=True)
class Valuation:
    """Values properties, one or many alike; `meta` tells of what data and when it was made."""

    fitted: Fitted
    spread: Spread
    scope: Scope
    meta: Mapping[str, Any]
    version: str = "unsaved"

    def value(self, columns: Columns) -> Values:
        """The values of properties given as columns: attributes, features and month; NaN without a market level."""
        matrix = self.fitted.encoder.matrix(columns)
        flags = self.scope.flags(columns)
        logs, spread = self.fitted.logs(columns, matrix), self.spread.of(columns, matrix) * self.scope.widening(flags)
        reach = self.spread.reach * spread
        prices = (np.round(np.exp(ends), 2) for ends in (logs, logs - reach, logs + reach))
        return Values(*prices, np.round(self.spread.scale * spread, 6), flags)

    def reasons(self, columns: Columns) -> Reasons:
        """What each input adds to the values that `value` gives for the same columns."""
        return explain(self.fitted.encoder, self.fitted.estimator, columns, self.meta["typical_area"])

    def save(self, folder: Path) -> Valuation:
        """Writes the folder, swapped in whole, and returns what a load of it gives: the same, with its version."""
        with lake.replacing(folder) as side:
            self.fitted.estimator.save(side / self.fitted.estimator.file)
            self.spread.model.save(side / SPREAD)
            lake.write_text(self.fitted.encoder.to_json(), side / ENCODER)
            files = {path.name: _sha256(path) for path in sorted(side.iterdir())}
            interval = {"reach": self.spread.reach, "scale": self.spread.scale}
            own = {
                "interval": interval,
                "gaps": self.spread.gaps.to_json(),
                "scope": self.scope.to_json(),
                "files": files,
            }
            lake.write_json({**self.meta, **own}, side / META)
        return Valuation.load(folder)

    @classmethod
    def load(cls, folder: Path) -> Valuation:
        """The valuation that a folder holds; raises ValuationError naming a file that is missing or was changed."""
        if not (folder / META).exists():
            raise ValuationError(f"{folder / META} is not there: `dvc repro train` writes it")
        meta = lake.read_json(folder / META)
        kept = _checked(folder, meta["files"])
        encoder = Encoder.from_json((folder / ENCODER).read_text(encoding="utf-8"))
        spread = Spread(LightGBM.load(folder / SPREAD), Gaps.from_json(meta["gaps"]), **meta["interval"])
        scope = Scope.from_json(meta["scope"])
        return cls(Fitted(encoder, estimators.load(kept)), spread, scope, meta, lake.digest(folder)[:12])


def _checked(folder: Path, files: Mapping[str, str]) -> Path:
    """The file of the estimator, once all files are what was recorded; none that isn't recorded is ever opened."""
    model = next((name for name in MODELS if name in files), MODELS[0])
    for name in (model, SPREAD, ENCODER):
        if not (folder / name).exists():
            raise ValuationError(f"{folder / name} is not there: `dvc repro train` writes it")
        if _sha256(folder / name) != files.get(name):
            raise ValuationError(f"{folder / name} was changed: its SHA-256 is not the one that {META} records")
    return folder / model


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
