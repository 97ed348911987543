"""An experiment: the champion and the challenger each answer a share of properties or clients."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from homei.registry.variant_assignment import CHALLENGER, CHAMPION, ExperimentDesign
from homei.serving.contract import Contract, read
from homei.serving.predictor import Predictor
from homei.serving.problem_details import Problem, ProblemError
from homei.serving.property_model import check_size

Models: TypeAlias = "Predictor | Experiment"
EXPERIMENT = "HOMEI_EXPERIMENT"  # the environment variable: JSON of the experiment's name and the champion's folder


class Experiment:
    """Answers as a Predictor does, for each row by the champion or the challenger."""

    def __init__(self, design: ExperimentDesign, champion: Predictor, challenger: Predictor) -> None:
        self.design = design
        self.contract = challenger.contract
        # Details of a published property are no part of the experiment: their comparables are the champion's.
        self.stamp = champion.stamp
        self.comparables = champion.comparables
        self._by_variant = {CHAMPION: champion, CHALLENGER: challenger}

    def versions(self) -> list[tuple[str | None, str, str]]:
        """Variant, model version and data version of both models."""
        return [version for predictor in self._by_variant.values() for version in predictor.versions()]

    def for_client(self, row: Mapping[str, Any], client: str | None) -> Predictor:
        """The predictor for a client's row."""
        return self._by_variant[self.design.variant(self.design.unit_of(row, client))]

    def value_batch(
        self, rows: Sequence[Mapping[str, Any]], include: frozenset[str], client: str | None
    ) -> list[dict[str, Any]]:
        """One answer a row, in order; raises ProblemError naming the rows that either model refuses."""
        check_size(len(rows), include)
        row_numbers: dict[Predictor, list[int]] = {}
        for number, row in enumerate(rows):
            row_numbers.setdefault(self.for_client(row, client), []).append(number)
        answers: dict[int, dict[str, Any]] = {}
        problems: list[Problem] = []
        for predictor, numbers in row_numbers.items():
            try:
                values = predictor.value([rows[number] for number in numbers], include, numbers=numbers)
                answers.update(zip(numbers, values, strict=True))
            except ProblemError as error:
                problems += error.problems
        if problems:
            raise ProblemError(422, problems)
        return [answers[number] for number in range(len(rows))]


def experiment_environment(design: ExperimentDesign, champion: Path) -> dict[str, str]:
    """The environment variables of a service that runs an experiment; `champion` is a Bento's folder."""
    return {EXPERIMENT: json.dumps({"name": design.name, "champion": str(champion)})}


def design_from_environment() -> ExperimentDesign | None:
    """The experiment that the environment names, if any."""
    value = os.environ.get(EXPERIMENT)
    return ExperimentDesign.from_name(json.loads(value)["name"]) if value else None


def load_models(folder: Path, contract: Contract) -> Models:
    """The model in a Bento's folder; in an experiment it is the challenger, beside the champion."""
    design = design_from_environment()
    if design is None:
        return Predictor.load(folder, contract)
    champion = Path(json.loads(os.environ[EXPERIMENT])["champion"]) / "src"
    return Experiment(
        design,
        Predictor.load(champion, read(champion, contract), CHAMPION),
        Predictor.load(folder, contract, CHALLENGER),
    )
