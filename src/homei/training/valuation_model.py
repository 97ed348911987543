"""Valuation model: price, interval and standard deviation of properties, with saving and loading.

A model's folder contains model.txt (LightGBM) or model.joblib (scikit-learn), spread.txt, encoder.json and meta.json.
The latter records the SHA-256 of the others, which is checked before anything is loaded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from homei.storage import lake
from homei.training import estimators
from homei.training.applicability import Applicability
from homei.training.contributions import Contributions, explain
from homei.training.encoding import Columns, Encoder
from homei.training.estimators import Estimator, LightGBM
from homei.training.intervals import IntervalModel
from homei.training.missing_attributes import MissingAttributes

VALUATION, HOLDOUT = Path("models/valuation"), Path("models/holdout")  # folders of the stage `train`
MODELS = (LightGBM.file, estimators.Pipeline.file)
SPREAD, ENCODER, META = "spread.txt", "encoder.json", "meta.json"


class ModelFileError(ValueError):
    """A model's file that is missing or was changed: the message names it."""


class Valuations(NamedTuple):
    """Prices and interval ends to the cent, and predicted standard deviations relative to the price.

    `flags` (properties × FLAGS) marks properties outside the model's training data.
    """

    price: np.ndarray
    low: np.ndarray
    high: np.ndarray
    deviation: np.ndarray
    flags: np.ndarray


@dataclass(frozen=True)
class FittedModel:
    """A trained estimator with the encoder of its inputs."""

    encoder: Encoder
    estimator: Estimator

    def log_values(self, columns: Columns, matrix: np.ndarray | None = None) -> np.ndarray:
        """The log of each value; `matrix` is the encoded `columns`, if available."""
        encoded = self.encoder.matrix(columns) if matrix is None else matrix
        return self.estimator.predict(encoded) + self.encoder.log_base_price(columns)

    def prices(self, columns: Columns) -> np.ndarray:
        """Each value in the city's currency, to the cent."""
        return np.round(np.exp(self.log_values(columns)), 2)


@dataclass(frozen=True)
class ValuationModel:
    """A complete model with intervals and applicability; `meta` describes its data, inputs and date."""

    fitted: FittedModel
    intervals: IntervalModel
    applicability: Applicability
    meta: Mapping[str, Any]
    version: str = "unsaved"

    def value(self, columns: Columns) -> Valuations:
        """Valuations of properties given as columns (attributes, features, month); NaN without a market level."""
        matrix = self.fitted.encoder.matrix(columns)
        flags = self.applicability.flags(columns)
        logs = self.fitted.log_values(columns, matrix)
        spread = self.intervals.spread(columns, matrix) * self.applicability.factor(flags)
        half_width = self.intervals.conformal_multiplier * spread
        prices = (np.round(np.exp(ends), 2) for ends in (logs, logs - half_width, logs + half_width))
        return Valuations(*prices, np.round(self.intervals.deviation_multiplier * spread, 6), flags)

    def contributions(self, columns: Columns) -> Contributions:
        """The contribution of each input to the values that `value` returns for the same columns."""
        return explain(self.fitted.encoder, self.fitted.estimator, columns, self.meta["typical_area"])

    def save(self, folder: Path) -> ValuationModel:
        """Writes the folder atomically, and returns the model as loaded from it, with its version."""
        with lake.replacing(folder) as side:
            self.fitted.estimator.save(side / self.fitted.estimator.file)
            self.intervals.model.save(side / SPREAD)
            lake.write_text(self.fitted.encoder.to_json(), side / ENCODER)
            parts = {
                "intervals": {
                    "conformal_multiplier": self.intervals.conformal_multiplier,
                    "deviation_multiplier": self.intervals.deviation_multiplier,
                    "missing_attributes": self.intervals.missing.to_json(),
                },
                "applicability": self.applicability.to_json(),
                "files": {path.name: _sha256(path) for path in sorted(side.iterdir())},
            }
            lake.write_json({**self.meta, **parts}, side / META)
        return ValuationModel.load(folder)

    @classmethod
    def load(cls, folder: Path) -> ValuationModel:
        """The model saved in a folder; raises ModelFileError for a missing or changed file."""
        if not (folder / META).exists():
            raise ModelFileError(f"{folder / META} does not exist: run `dvc repro train`")
        meta = lake.read_json(folder / META)
        estimator_path = _checked_estimator(folder, meta["files"])
        encoder = Encoder.from_json((folder / ENCODER).read_text(encoding="utf-8"))
        stored = meta["intervals"]
        intervals = IntervalModel(
            LightGBM.load(folder / SPREAD),
            MissingAttributes.from_json(stored["missing_attributes"]),
            stored["conformal_multiplier"],
            stored["deviation_multiplier"],
        )
        applicability = Applicability.from_json(meta["applicability"])
        fitted = FittedModel(encoder, estimators.load(estimator_path))
        return cls(fitted, intervals, applicability, meta, lake.digest(folder)[:12])


def _checked_estimator(folder: Path, files: Mapping[str, str]) -> Path:
    """The estimator's file, after all files were compared with their recorded SHA-256."""
    model = next((name for name in MODELS if name in files), MODELS[0])
    for name in (model, SPREAD, ENCODER):
        if not (folder / name).exists():
            raise ModelFileError(f"{folder / name} does not exist: run `dvc repro train`")
        if _sha256(folder / name) != files.get(name):
            raise ModelFileError(f"{folder / name} was changed: its SHA-256 differs from {META}; run `dvc repro train`")
    return folder / model


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
