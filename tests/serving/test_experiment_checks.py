"""An experiment between models that cannot be compared does not start."""

import json
from pathlib import Path

import pytest
import yaml

from homei.config import params
from homei.registry.variant_assignment import ExperimentDesign
from homei.serving.experiment_checks import ExperimentError, check_experiment
from homei.storage import lake

OWN = yaml.safe_load((Path(__file__).parents[2] / "params" / "config.yaml").read_text())["experiment"]


@pytest.fixture
def settings():
    return lambda **changes: params.section("experiment", OWN | {"share": 0.2} | changes)


@pytest.fixture
def bento(tmp_path, contract):
    """Makes a Bento's folder with a changed contract and one line of code."""

    def made(name, code="1\n", **changes):
        folder = tmp_path / name
        told = json.loads(contract.model_dump_json()) | {"model_version": name} | changes
        lake.write_json(told, folder / "src" / "service.json")
        lake.write_text("", folder / "src" / "homei" / "registry" / "variant_assignment.py")
        lake.write_text(code, folder / "src" / "homei" / "training" / "valuation_model.py")
        return folder

    return made


def test_two_models_that_promise_the_same_may_meet(bento, settings):
    found = check_experiment(bento("old", data_version="a"), bento("new", data_version="b"), settings(salt="spring"))
    assert found == ExperimentDesign("spring", "property", 0.2, "old", "new")


def test_limits_and_warehouse_are_the_services_business(bento, settings, contract):
    older = {"limits": {"max_batch_rows": 1}, "warehouse": {"file": "elsewhere"}}
    assert check_experiment(bento("old", **older), bento("new"), settings()).champion == "old"


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"currency": "USD"}, r'different contracts: currency \("USD" and "EUR"\)'),
        ({"level": 0.8}, r"level \(0\.8 and 0\.9\)"),
        ({"numeric": ["plot", "garden"]}, r'numeric \(\["garden", "plot"\] and \["plot"\]\)'),
        ({"property_types": ["flat"]}, r"property_types"),
        ({"ranges": {}}, r"ranges"),
        ({"coordinates": {"system": "plane"}}, r"coordinates"),
        ({"as_of": "2025-11-30"}, r'different market data: as_of \("2025-11-30" and "2025-12-31"\).*the data\'s age'),
    ],
)
def test_models_that_answer_other_questions_may_not(bento, settings, changes, told):
    with pytest.raises(ExperimentError, match=told):
        check_experiment(bento("old", **changes), bento("new"), settings())


def test_the_order_of_types_is_no_difference(bento, settings):
    assert check_experiment(bento("old", property_types=["house", "flat"]), bento("new"), settings())


def test_no_share_is_no_experiment(bento, settings):
    with pytest.raises(ExperimentError, match=r"experiment\.share is 0"):
        check_experiment(bento("old"), bento("new"), settings(share=0.0))


def test_a_model_cannot_be_compared_with_itself(bento, settings):
    with pytest.raises(ExperimentError, match="the same model, same"):
        check_experiment(bento("one", model_version="same"), bento("two", model_version="same"), settings())


def test_a_challenger_of_before_there_were_experiments_is_packaged_first(bento, settings):
    newer = bento("new")
    (newer / "src" / "homei" / "registry" / "variant_assignment.py").unlink()
    with pytest.raises(ExperimentError, match="dvc repro package"):
        check_experiment(bento("old"), newer, settings())


def test_a_champion_whose_code_fails_is_not_compared_with_other_code(bento, settings):
    with pytest.raises(ExperimentError, match="cannot run the model of"):
        check_experiment(bento("old"), bento("new", code="2\n"), settings())
