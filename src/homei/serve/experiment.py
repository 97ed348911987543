"""An experiment: two models answer side by side, each the units that are its own."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from homei.assignment import CHALLENGER, CHAMPION, Design
from homei.serve.contract import Contract, read
from homei.serve.include import check_size
from homei.serve.predictor import Predictor
from homei.serve.refusal import Problem, RequestError

Models: TypeAlias = "Predictor | Experiment"
SETTING = "HOMEI_EXPERIMENT"  # the environment variable: JSON of the experiment's name and the champion's folder


class Experiment:
    """Answers as a Predictor does, for each row by the champion or the challenger."""

    def __init__(self, design: Design, champion: Predictor, challenger: Predictor) -> None:
        self.design = design
        self._champion = champion
        self._by_variant = {CHAMPION: champion, CHALLENGER: challenger}

    @property
    def stamp(self) -> str:
        """The champion's, whose comparables these are."""
        return self._champion.stamp

    def versions(self) -> list[tuple[str | None, str, str]]:
        """Variant, model version and data version of both."""
        return [own for predictor in self._by_variant.values() for own in predictor.versions()]

    def answering(self, row: Mapping[str, Any], client: str | None) -> Predictor:
        """Who answers for a row of a client."""
        return self._by_variant[self.design.variant(self.design.unit_of(row, client))]

    def value_all(
        self, rows: Sequence[Mapping[str, Any]], include: frozenset[str], client: str | None
    ) -> list[dict[str, Any]]:
        """One answer a row, in order; raises RequestError naming rows that either model refuses."""
        check_size(len(rows), include)
        theirs: dict[Predictor, list[int]] = {}
        for number, row in enumerate(rows):
            theirs.setdefault(self.answering(row, client), []).append(number)
        answers: list[dict[str, Any]] = [{}] * len(rows)
        problems: list[Problem] = []
        for predictor, numbers in theirs.items():
            try:
                valued = predictor.value([rows[number] for number in numbers], include, numbers=numbers)
            except RequestError as refused:
                problems += refused.problems
            else:
                for number, answer in zip(numbers, valued, strict=True):
                    answers[number] = answer
        if problems:
            raise RequestError(422, problems)
        return answers

    def comparables(self, home: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The champion's: what is published of a home is no part of an experiment."""
        return self._champion.comparables(home)


def setting(design: Design, champion: Path) -> dict[str, str]:
    """The environment that has a service run an experiment; `champion` is a Bento's folder."""
    return {SETTING: json.dumps({"name": design.name, "champion": str(champion)})}


def design_from_environment() -> Design | None:
    """The experiment that the environment asks for; None where it asks for none."""
    given = os.environ.get(SETTING)
    return Design.named(json.loads(given)["name"]) if given else None


def load(folder: Path, contract: Contract) -> Models:
    """What answers in a service: the model of the Bento's folder, or with an experiment that as the challenger."""
    design = design_from_environment()
    if design is None:
        return Predictor.load(folder, contract)
    champion = Path(json.loads(os.environ[SETTING])["champion"]) / "src"
    return Experiment(
        design,
        Predictor.load(champion, read(champion, contract), CHAMPION),
        Predictor.load(folder, contract, CHALLENGER),
    )
