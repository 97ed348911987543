"""Checks before an experiment that its champion and challenger can be compared."""

from __future__ import annotations

from pathlib import Path

from homei.registry import bento_manifest, isolated_inference
from homei.registry.config import ExperimentConfig
from homei.registry.variant_assignment import ExperimentDesign
from homei.serving.contract import COMPARED_FIELDS, Contract, differences, read

# Models of different market data would compare the age of the data.
MARKET_FIELDS = ("as_of", "months")
# Run in a Bento: prints the values of the latest sales in the lookup of the model in `folder`.
VALUE_LATEST_SALES = """
import json, sys
from pathlib import Path
from homei.storage import lake
from homei.serving.contract import read
from homei.serving.predictor import Predictor
from homei.serving.problem_details import ProblemError
from homei.serving.property_model import property_model, rows_of
from pydantic import ValidationError
folder, *running = map(Path, sys.argv[1:])
contract = read(folder, *map(read, running))
model, predictor = property_model(contract), Predictor.load(folder, contract)
sold = lake.read(folder / "lookup" / "sold").tail(100)
rows = json.loads(sold[[name for name in model.model_fields if name in sold]].to_json(orient="records"))
for row in [contract.example, *rows]:
    try:
        print(json.dumps(predictor.value(rows_of([model.model_validate(row)], contract))))
    except (ProblemError, ValidationError) as error:
        print(error)
"""


class ExperimentError(RuntimeError):
    """Two models that cannot be compared; the message says why, and what to do."""


def check_experiment(champion: Path, challenger: Path, config: ExperimentConfig) -> ExperimentDesign:
    """The design of an experiment with the models of two Bentos, both run by the challenger's code.

    Raises ExperimentError if the share is 0, both are one model, their contracts or market data differ, or the
    challenger's code values otherwise than the champion's.
    """
    if not 0 < config.share < 1:
        raise ExperimentError(
            f"experiment.share is {config.share:g}: set it between 0 and 1 in params/ and run `homei compose`"
        )
    if not (challenger / "src" / "homei" / "registry" / "variant_assignment.py").exists():
        raise ExperimentError(f"{challenger} was packaged by a version without experiments: run `dvc repro package`")
    contract = read(challenger / "src")
    champion_contract = read(champion / "src", contract)
    if contract.model_version == champion_contract.model_version:
        raise ExperimentError(f"champion and challenger are the same model, {contract.model_version}")
    _check_contracts(champion_contract, contract)
    _check_code(champion, challenger)
    return ExperimentDesign(
        config.salt, config.unit, config.share, champion_contract.model_version, contract.model_version
    )


def _check_contracts(champion: Contract, challenger: Contract) -> None:
    if changed := differences(champion, challenger):
        raise ExperimentError(
            f"champion and challenger have different contracts: {'; '.join(changed)}. "
            f"These fields must be equal: {', '.join(COMPARED_FIELDS)}"
        )
    if changed := differences(champion, challenger, MARKET_FIELDS):
        raise ExperimentError(
            f"champion and challenger have different market data: {'; '.join(changed)}. The experiment would "
            "measure the data's age: build the challenger with the champion's `as_of`, or promote a newer champion"
        )


def _check_code(champion: Path, challenger: Path) -> None:
    if bento_manifest.have_same_valuation_code(
        bento_manifest.file_digests(champion), bento_manifest.file_digests(challenger)
    ):
        return
    if _values(champion, champion) != _values(champion, challenger):
        raise ExperimentError(
            "the challenger's code values otherwise than the champion's code with the champion's model: an experiment "
            "would not measure the champion. Promote a model that was packaged with the current code first"
        )


def _values(model: Path, code: Path) -> str:
    """Values of the latest sales by a Bento's model, run by a Bento's code."""
    folders = [str((bento / "src").resolve()) for bento in ((model,) if code == model else (model, code))]
    try:
        return isolated_inference.run_in_bento(code, VALUE_LATEST_SALES, *folders)
    except isolated_inference.IsolatedInferenceError as error:
        raise ExperimentError(f"the code of {code} cannot run the model of {model}: {error}") from error
