"""From checked rows to valuations: history looked up, the model asked, the answer put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from homei.features.columns import month_of
from homei.serve.contract import Contract
from homei.serve.refusal import Problem, RequestError

NUMERIC = ("square_meters", "bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude")
CATEGORICAL = ("property_type", "location", "property_id")

Columns = Mapping[str, np.ndarray]


class History(Protocol):
    """What knows a market's past: homei.features.lookup.Lookup."""

    def features(self, columns: Columns) -> dict[str, np.ndarray]: ...


class Model(Protocol):
    """What values homes: homei.model.valuation.Valuation."""

    def value(self, columns: Columns) -> Any: ...


class Predictor:
    """Values rows, one or many by the same path, so that a batch says of each row what a single request says."""

    def __init__(self, contract: Contract, history: History, model: Model) -> None:
        self._history = history
        self._model = model
        self._level = contract.level
        self._versions = {
            "currency": contract.currency,
            "model_version": contract.model_version,
            "data_version": contract.data_version,
            "as_of": contract.as_of.isoformat(),
        }
        self._numeric = (*NUMERIC, *contract.numeric)
        self._categorical = (*CATEGORICAL, *contract.categorical)

    @classmethod
    def load(cls, folder: Path, contract: Contract) -> Predictor:
        """The predictor of a Bento's folder; the model's files are hashed before they are loaded."""
        from homei.features.lookup import Lookup
        from homei.model.valuation import Valuation

        return cls(contract, Lookup.load(folder / "lookup"), Valuation.load(folder / "valuation"))

    def value(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """One answer a row, in order: price, interval and confidence, with currency and versions.

        The confidence is 1 minus the forecast's standard deviation relative to the price, within 0 and 1.
        """
        columns = self._columns(rows)
        values = self._model.value({**columns, **self._history.features(columns)})
        if not np.isfinite(values.price).all():
            row = int(np.flatnonzero(~np.isfinite(values.price))[0])
            raise RequestError(422, [Problem("valuation_date", f"no price level is known for that month (row {row})")])
        confidence = np.clip(1 - values.deviation, 0, 1)
        numbers = (values.price, values.low, values.high, confidence)
        return [self._answer(*row) for row in zip(*(column.tolist() for column in numbers), strict=True)]

    def _columns(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
        # A None among floats becomes NaN: what the model and the lookup take for "unknown".
        columns = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in self._numeric}
        for name in self._categorical:
            column = np.empty(len(rows), dtype=object)
            column[:] = [row[name] for row in rows]
            columns[name] = column
        columns["month"] = np.array([month_of(row["valuation_date"]) for row in rows], dtype=np.int64)
        return columns

    def _answer(self, price: float, low: float, high: float, confidence: float) -> dict[str, Any]:
        return {
            "predicted_price": round(price, 2),
            "interval": {"low": round(low, 2), "high": round(high, 2), "level": self._level},
            "confidence": round(confidence, 4),
            **self._versions,
        }
