"""From checked rows to valuations: history looked up, the model asked, the answer put together."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from homei.config import FLAGS
from homei.features.columns import month_of
from homei.model.estimators import UnexplainedError
from homei.model.reasons import Reasons, by_size
from homei.model.scope import Scope
from homei.serve.contract import Contract
from homei.serve.include import COMPARABLES, NOTHING, REASONS, check_size
from homei.serve.refusal import SHOWN as MOST_PROBLEMS
from homei.serve.refusal import Problem, RequestError

NUMERIC = ("square_meters", "bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude")
CATEGORICAL = ("property_type", "location", "property_id")

SHOWN = 5  # comparables of a valuation
WORTH_A_THREAD = 1000  # rows: some 30 ms
CORES = os.cpu_count() or 1  # asked once: it takes a twentieth of what a valuation does
WHY = {
    "unknown_location": "nothing was sold in this location",
    "unusual_area": "the area is not usual for this type",
    "no_comparable": "nothing like it was sold within reach",
    "unlike_any_sale": "no home of this type with such attributes was sold anywhere",
}
# Which flags are raised, by the sum of their bits: answers share these lists, which nobody changes.
BITS = 1 << np.arange(len(FLAGS))
RAISED = [[flag for place, flag in enumerate(FLAGS) if bits >> place & 1] for bits in range(1 << len(FLAGS))]

Columns = Mapping[str, np.ndarray]


class History(Protocol):
    """What knows a market's past: homei.features.lookup.Lookup."""

    def features(self, columns: Columns) -> dict[str, np.ndarray]: ...

    def is_prepared(self, month: int) -> bool: ...

    def comparables(self, columns: Columns, count: int) -> list[list[dict[str, Any]]]: ...


class Model(Protocol):
    """What values homes, to the cent: homei.model.valuation.Valuation."""

    scope: Scope

    def value(self, columns: Columns) -> Any: ...

    def reasons(self, columns: Columns) -> Reasons: ...


class Predictor:
    """Values rows, one or many by the same path, so that a batch says of each row what a single request says."""

    def __init__(self, contract: Contract, history: History, model: Model, variant: str | None = None) -> None:
        self.version = contract.model_version
        self.variant = variant
        # What tells its answers from those of any other model.
        self.stamp = hashlib.sha256(f"{variant} {contract.model_dump_json()}".encode()).hexdigest()
        self._history = history
        self._model = model
        self._level = contract.level
        self._day = contract.default_date
        self._versions = {
            "currency": contract.currency,
            "model_version": contract.model_version,
            "data_version": contract.data_version,
            "as_of": contract.as_of.isoformat(),
        }
        if variant:
            self._versions["variant"] = variant
        self._numeric = (*NUMERIC, *contract.numeric)
        self._categorical = (*CATEGORICAL, *contract.categorical)

    @classmethod
    def load(cls, folder: Path, contract: Contract, variant: str | None = None) -> Predictor:
        """The predictor of a Bento's folder; the model's files are hashed before they are loaded.

        In an experiment its answers name the `variant` that it is.
        """
        from homei.features.lookup import Lookup
        from homei.model.valuation import Valuation

        return cls(contract, Lookup.load(folder / "lookup"), Valuation.load(folder / "valuation"), variant)

    def versions(self) -> list[tuple[str | None, str, str]]:
        """Variant, model version and data version of what answers, one of each."""
        return [(self.variant, self.version, self._versions["data_version"])]

    def answering(self, row: Mapping[str, Any], client: str | None) -> Predictor:
        """Who answers for a row of a client: in an Experiment one of two, here this one for all."""
        return self

    def is_quick(self, row: Mapping[str, Any]) -> bool:
        """Whether valuing a row takes a millisecond or so: a thread would cost more than it frees."""
        return self._history.is_prepared(month_of(row["valuation_date"]))

    def value_all(
        self, rows: Sequence[Mapping[str, Any]], include: frozenset[str], client: str | None
    ) -> list[dict[str, Any]]:
        """As `value`, each row by who answers for it."""
        return self.value(rows, include)

    def value(
        self,
        rows: Sequence[Mapping[str, Any]],
        include: frozenset[str] = NOTHING,
        alone: bool = False,
        numbers: Sequence[int] | None = None,
    ) -> list[dict[str, Any]]:
        """One answer a row, in order: price, interval, confidence and flags, with currency and versions.

        The confidence is 1 minus the forecast's standard deviation relative to the price, within 0 and 1; a flag names
        what is beyond the model's knowledge. Each name in `include` (of serve.include.INCLUDABLE) is a further entry.
        Raises RequestError where one can't be given, and where a price would be an invention; it names the row
        (by its number in `numbers`, where these are not all rows of a batch), or the body where that is the row
        `alone` and no batch.
        """
        numbers = range(len(rows)) if numbers is None else numbers
        check_size(len(rows), include)
        columns = self._columns(rows)
        known, values = self._known_and_values(columns)
        if not np.isfinite(values.price).all():
            row = numbers[int(np.flatnonzero(~np.isfinite(values.price))[0])]
            raise RequestError(422, [Problem("valuation_date", f"no price level is known for that month (row {row})")])
        self._refuse_inventions(values.flags, alone, numbers)
        answers = self._answers(values)
        if COMPARABLES in include:
            for answer, comparables in zip(answers, self._history.comparables(columns, SHOWN), strict=True):
                answer[COMPARABLES] = comparables
        if REASONS in include:
            for answer, reasons in zip(answers, self._reasons(known, values.price), strict=True):
                answer[REASONS] = reasons
        return answers

    def comparables(self, home: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The most similar earlier sales of a published home; empty where too little is known of it.

        `home` has what a row of the warehouse's property_analytics has, the source's own attributes in `features`.
        """
        known = {**home["features"], **home}
        if any(known.get(name) is None for name in ("square_meters", "property_type", "location")):
            return []
        row = {name: known.get(name) for name in (*self._numeric, *self._categorical)}
        return self._history.comparables(self._columns([row | {"valuation_date": self._day}]), SHOWN)[0]

    def _known_and_values(self, columns: Columns) -> tuple[Columns, Any]:
        """The columns with what history tells, and the model's values: of many homes found on all cores."""
        count = len(columns["month"])
        parts = min(CORES, count // WORTH_A_THREAD)
        if parts < 2:
            return self._valued(columns)
        cuts = [slice(count * part // parts, count * (part + 1) // parts) for part in range(parts)]
        with ThreadPoolExecutor(parts) as pool:
            homes = ({name: column[rows] for name, column in columns.items()} for rows in cuts)
            known, values = zip(*pool.map(self._valued, homes), strict=True)
        whole = {name: np.concatenate([part[name] for part in known]) for name in known[0]}
        return whole, type(values[0])(*(np.concatenate(part) for part in zip(*values, strict=True)))

    def _valued(self, columns: Columns) -> tuple[Columns, Any]:
        known = {**columns, **self._history.features(columns)}
        return known, self._model.value(known)

    def _reasons(self, known: Columns, prices: np.ndarray) -> list[dict[str, Any]]:
        """What an average home is worth, and what makes each of these worth more or less, the largest amount first."""
        try:
            told = self._model.reasons(known).by_feature()
        except UnexplainedError as error:
            raise RequestError(422, [Problem("include", str(error), REASONS)]) from error
        return [
            {"start": start, "contributions": [{"feature": f, "amount": a} for f, a in by_size(told.names, added)]}
            for start, added in zip(*(money.tolist() for money in told.in_money(prices)), strict=True)
        ]

    def _refuse_inventions(self, flags: np.ndarray, alone: bool, numbers: Sequence[int]) -> None:
        refused = np.flatnonzero(self._model.scope.refused(flags)) if flags.any() else ()
        problems = []
        for row in refused[:MOST_PROBLEMS]:
            why = " and ".join(WHY[flag] for flag, raised in zip(FLAGS, flags[row], strict=True) if raised)
            field = "body" if alone else f"properties.{numbers[row]}"
            problems.append(Problem(field, f"{why}: a price would be an invention"))
        if problems:
            raise RequestError(422, problems)

    def _columns(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
        names = (*self._numeric, *self._categorical)
        *values, days = zip(*map(itemgetter(*names, "valuation_date"), rows), strict=True)
        told = dict(zip(names, values, strict=True))
        # A None among floats becomes NaN: what the model and the lookup take for "unknown".
        columns = {name: np.array(told[name], dtype=np.float64) for name in self._numeric}
        for name in self._categorical:
            columns[name] = np.empty(len(rows), dtype=object)
            columns[name][:] = told[name]
        months = {day: month_of(day) for day in {*days}}
        columns["month"] = np.array([months[day] for day in days], dtype=np.int64)
        return columns

    def _answers(self, values: Any) -> list[dict[str, Any]]:
        told = (values.price, values.low, values.high, np.clip(1 - values.deviation, 0, 1), values.flags @ BITS)
        return [
            {
                "predicted_price": price,
                "interval": {"low": low, "high": high, "level": self._level},
                "confidence": round(confidence, 4),
                "flags": RAISED[bits],
                **self._versions,
            }
            for price, low, high, confidence, bits in zip(*(part.tolist() for part in told), strict=True)
        ]
