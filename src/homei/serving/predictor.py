"""Turns validated rows into valuations: looks up market history and calls the model."""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from homei.features.columns import month_of
from homei.serving.contract import Contract
from homei.serving.problem_details import MAX_PROBLEMS, Problem, ProblemError
from homei.serving.property_model import COMPARABLES, NOTHING, REASONS, check_size
from homei.serving.schemas import FLAG_REASONS
from homei.training.config import FLAGS
from homei.training.contributions import sorted_by_size
from homei.training.estimators import UnexplainedError

if TYPE_CHECKING:
    from homei.features.feature_lookup import FeatureLookup
    from homei.training.valuation_model import ValuationModel

NUMERIC = ("square_meters", "bedrooms", "bathrooms", "year_built", "floor", "latitude", "longitude")
CATEGORICAL = ("property_type", "location", "property_id")

N_COMPARABLES = 5  # of a valuation
ROWS_PER_THREAD = 1000  # fewer take less time than starting a thread saves
N_CORES = os.cpu_count() or 1

Columns = Mapping[str, np.ndarray]
Rows = Sequence[Mapping[str, Any]]


class Predictor:
    """Values rows, one or many by the same code, so that a batch and single requests give equal answers."""

    def __init__(
        self, contract: Contract, history: FeatureLookup, model: ValuationModel, variant: str | None = None
    ) -> None:
        self.contract = contract
        self.version = contract.model_version
        self.variant = variant
        # A fingerprint of the model, for cache keys.
        self.stamp = hashlib.sha256(f"{variant} {contract.model_dump_json()}".encode()).hexdigest()
        self._history = history
        self._model = model
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
        """The predictor in a Bento's folder; in an experiment its answers name their `variant`.

        The model's files are hashed before they are loaded.
        """
        from homei.features.feature_lookup import FeatureLookup
        from homei.training.valuation_model import ValuationModel

        return cls(contract, FeatureLookup(folder / "lookup"), ValuationModel.load(folder / "valuation"), variant)

    def versions(self) -> list[tuple[str | None, str, str]]:
        """Variant, model version and data version."""
        return [(self.variant, self.version, self._versions["data_version"])]

    def for_client(self, row: Mapping[str, Any], client: str | None) -> Predictor:
        """The predictor for a client's row; an Experiment has two of them."""
        return self

    def is_quick(self, row: Mapping[str, Any]) -> bool:
        """Whether valuing a row takes milliseconds; the first one of a month may take seconds."""
        return self._history.is_prepared(month_of(row["valuation_date"]))

    def value_batch(self, rows: Rows, include: frozenset[str], client: str | None) -> list[dict[str, Any]]:
        """As `value`, with the predictor of each row for the client."""
        return self.value(rows, include)

    def value_each(self, rows: Rows) -> list[dict[str, Any] | ProblemError]:
        """As `value`, but a row without sufficient evidence gets its own error and refuses no other one."""
        columns = self._columns(rows)
        _, values = self._value_columns(columns)
        results: list[dict[str, Any] | ProblemError] = [*self._answers(values)]
        for row, message in self._problems(columns, values).items():
            results[row] = ProblemError(422, [Problem("body", message)])
        return results

    def value(
        self, rows: Rows, include: frozenset[str] = NOTHING, alone: bool = False, numbers: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        """One answer a row, in order, with the fields of `schemas.Valuation`.

        Raises ProblemError where the market evidence is insufficient. It names the body if the request is one row
        `alone`, else the row: by its number in `numbers` if these are some rows of a larger batch.
        """
        numbers = range(len(rows)) if numbers is None else numbers
        check_size(len(rows), include)
        columns = self._columns(rows)
        inputs, values = self._value_columns(columns)
        if problems := self._problems(columns, values):
            fields = {row: "body" if alone else f"properties.{numbers[row]}" for row in problems}
            raise ProblemError(422, [Problem(fields[row], message) for row, message in problems.items()])
        answers = self._answers(values)
        if COMPARABLES in include:
            for answer, comparables in zip(answers, self._history.comparables(columns, N_COMPARABLES), strict=True):
                answer[COMPARABLES] = comparables
        if REASONS in include:
            for answer, reasons in zip(answers, self._reasons(inputs, values.price), strict=True):
                answer[REASONS] = reasons
        return answers

    def comparables(self, published: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The most similar earlier sales of a published property; empty if too few attributes are known.

        `published` is a row of the warehouse's property_analytics, with the source's own attributes in `features`.
        """
        inputs = {**published["features"], **published}
        needed = ("property_type", "location", *(("square_meters",) if self.contract.needs_area else ()))
        if any(inputs.get(name) is None for name in needed):
            return []
        row = {name: inputs.get(name) for name in (*self._numeric, *self._categorical)}
        columns = self._columns([row | {"valuation_date": self.contract.default_date}])
        return self._history.comparables(columns, N_COMPARABLES)[0]

    def _value_columns(self, columns: Columns) -> tuple[Columns, Any]:
        """The columns with features of market history, and the model's values; large batches use all cores."""
        n_rows = len(columns["month"])
        n_parts = min(N_CORES, n_rows // ROWS_PER_THREAD)
        if n_parts < 2:
            return self._value_part(columns)
        cuts = [slice(n_rows * part // n_parts, n_rows * (part + 1) // n_parts) for part in range(n_parts)]
        with ThreadPoolExecutor(n_parts) as pool:
            parts = ({name: column[rows] for name, column in columns.items()} for rows in cuts)
            inputs, values = zip(*pool.map(self._value_part, parts), strict=True)
        joined = {name: np.concatenate([part[name] for part in inputs]) for name in inputs[0]}
        return joined, type(values[0])(*(np.concatenate(part) for part in zip(*values, strict=True)))

    def _value_part(self, columns: Columns) -> tuple[Columns, Any]:
        inputs = {**columns, **self._history.features(columns)}
        return inputs, self._model.value(inputs)

    def _reasons(self, inputs: Columns, prices: np.ndarray) -> list[dict[str, Any]]:
        """The value of an average property, and what each feature adds to it, the largest amount first."""
        try:
            reasons = self._model.contributions(inputs).by_feature()
        except UnexplainedError as error:
            raise ProblemError(422, [Problem("include", str(error), REASONS)]) from error
        starts, amounts = (money.tolist() for money in reasons.in_money(prices))
        return [
            {
                "start": start,
                "contributions": [
                    {"feature": name, "amount": amount} for name, amount in sorted_by_size(reasons.names, added)
                ],
            }
            for start, added in zip(starts, amounts, strict=True)
        ]

    def _problems(self, columns: Columns, values: Any) -> dict[int, str]:
        """The first rows that cannot be valued, and why."""
        is_priced = np.isfinite(values.price)
        if is_priced.all() and not values.flags.any():
            return {}
        is_refused = self._model.applicability.is_refused(values.flags)
        problems = {}
        for row in map(int, np.flatnonzero(is_refused | ~is_priced)[:MAX_PROBLEMS]):
            if is_priced[row]:
                raised = [flag for flag, is_raised in zip(FLAGS, values.flags[row], strict=True) if is_raised]
                reasons = " and ".join(FLAG_REASONS[flag] for flag in raised)
                if "unknown_location" in raised:
                    reasons += self._similar_location(str(columns["location"][row]))
            elif np.isnan(columns["square_meters"][row]):
                reasons = "properties of this type need square_meters"
            else:
                reasons = "no price level is known for the month of valuation_date"
            problems[row] = f"insufficient market evidence for a valuation: {reasons}"
        return problems

    def _similar_location(self, location: str) -> str:
        """A hint at the most similar location with sales, also in another case; empty without one."""
        by_folded = {name.casefold(): name for name in sorted(self._model.applicability.locations)}
        similar = difflib.get_close_matches(location.casefold(), by_folded, n=1)
        return f"; did you mean {by_folded[similar[0]]!r}?" if similar else ""

    def _columns(self, rows: Rows) -> dict[str, np.ndarray]:
        names = (*self._numeric, *self._categorical)
        *values, days = zip(*map(itemgetter(*names, "valuation_date"), rows), strict=True)
        by_name = dict(zip(names, values, strict=True))
        # None becomes NaN, which the model and the lookup take for unknown.
        columns = {name: np.array(by_name[name], dtype=np.float64) for name in self._numeric}
        for name in self._categorical:
            columns[name] = np.empty(len(rows), dtype=object)
            columns[name][:] = by_name[name]
        months = {day: month_of(day) for day in {*days}}
        columns["month"] = np.array([months[day] for day in days], dtype=np.int64)
        return columns

    def _answers(self, values: Any) -> list[dict[str, Any]]:
        columns = (values.price, values.low, values.high, np.clip(1 - values.deviation, 0, 1), values.flags)
        return [
            {
                "predicted_price": price,
                "interval": {"low": low, "high": high, "level": self.contract.level},
                "confidence": round(confidence, 4),
                "flags": [flag for flag, is_raised in zip(FLAGS, flags, strict=True) if is_raised],
                **self._versions,
            }
            for price, low, high, confidence, flags in zip(*(column.tolist() for column in columns), strict=True)
        ]
