"""Before an experiment: whether a champion and a challenger, each a Bento's folder, can be compared fairly."""

from __future__ import annotations

from pathlib import Path

from homei import config
from homei.assignment import Design
from homei.model import manifest, own_code
from homei.serve.contract import PROMISED, Contract, differences, read

# Models that know the market up to different days value the same request for different days.
KNOWN = ("as_of", "months")
# Run by a Bento's own code, or by the one that is to run it: the newest of its comparables' sales as it values them.
VALUE = """
import json, sys
from pathlib import Path
from homei import lake
from homei.serve.contract import read
from homei.serve.predictor import Predictor
from homei.serve.refusal import RequestError
from homei.serve.intake import Intake
folder, *running = map(Path, sys.argv[1:])
contract = read(folder, *map(read, running))
intake, predictor = Intake(contract), Predictor.load(folder, contract)
sold = lake.read(folder / "lookup" / "sold").tail(100)
homes = json.loads(sold[[name for name in intake.model.model_fields if name in sold]].to_json(orient="records"))
for home in [contract.example, *homes]:
    try:
        print(json.dumps(predictor.value([intake.one(json.dumps(home).encode())])))
    except RequestError as refused:
        print(refused)
"""


class UnfairError(RuntimeError):
    """Two models that can't be compared: the message says why, and what to do."""


def opponents(champion: Path, challenger: Path, settings: config.Experiment) -> Design:
    """The experiment that compares two models by the settings; the challenger's code is to run both.

    Raises UnfairError where the settings have it off, both are one model, they promise different things, know the
    market up to different days, or where the champion would not answer as it does by its own code.
    """
    if not 0 < settings.share < 1:
        raise UnfairError(
            f"experiment.share is {settings.share:g}: give both a share in params/config.yaml, and `homei compose`"
        )
    if not (challenger / "src" / "homei" / "assignment.py").exists():
        raise UnfairError(f"{challenger} was packaged before there were experiments: run `dvc repro package`")
    ours = read(challenger / "src")
    theirs = read(champion / "src", ours)
    if ours.model_version == theirs.model_version:
        raise UnfairError(f"the champion is what was built last, {ours.model_version}: there is nothing to compare")
    _check_contracts(theirs, ours)
    _check_code(champion, challenger)
    return Design(settings.salt, settings.unit, settings.share, theirs.model_version, ours.model_version)


def _check_contracts(champion: Contract, challenger: Contract) -> None:
    if found := differences(champion, challenger):
        raise UnfairError(
            f"champion and challenger promise different things: {'; '.join(found)}. A request must mean the same to "
            f"both; what must agree: {', '.join(PROMISED)}"
        )
    if found := differences(champion, challenger, KNOWN):
        raise UnfairError(
            f"champion and challenger know the market up to different days: {'; '.join(found)}. What came out would be "
            "the data's age: build the challenger as of the champion's day, or promote one of today first"
        )


def _check_code(champion: Path, challenger: Path) -> None:
    if manifest.values_alike(manifest.hashes(champion), manifest.hashes(challenger)):
        return
    own, other = _values(champion, champion), _values(champion, challenger)
    if own != other:
        raise UnfairError(
            "the challenger's code gets other values from the champion's model than the champion's own code: an "
            "experiment would not measure the champion. Promote a model that was packaged with today's code first"
        )


def _values(model: Path, code: Path) -> str:
    """How a Bento's model values some homes by a Bento's code."""
    folders = [str((bento / "src").resolve()) for bento in ((model,) if code == model else (model, code))]
    try:
        return own_code.run(code, VALUE, *folders)
    except own_code.OwnCodeError as error:
        raise UnfairError(f"the code of {code} can't value by the model of {model}: {error}") from error
