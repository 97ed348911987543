"""params.yaml is composed from params/, and a slip in it stops with the key, the value and what would be right."""

import copy
from pathlib import Path

import pytest
import yaml

from homei import params

PROJECT = Path(__file__).parents[1]


def values():
    return yaml.safe_load(params.compose(groups=PROJECT / "params"))


def test_the_committed_params_are_what_the_groups_compose_to():
    assert params.compose(groups=PROJECT / "params") == (PROJECT / "params.yaml").read_text()


@pytest.mark.parametrize("source", sorted(path.stem for path in (PROJECT / "params/source").glob("*.yaml")))
@pytest.mark.parametrize("model", sorted(path.stem for path in (PROJECT / "params/model").glob("*.yaml")))
@pytest.mark.parametrize("tuning", ["fast", "full"])
def test_every_choice_of_groups_composes(source, model, tuning):
    overrides = [f"source={source}", f"model={model}", f"tuning={tuning}", "spark=cluster"]
    composed = params.check(yaml.safe_load(params.compose(overrides, PROJECT / "params")))
    assert (composed.source.name, composed.model.name, composed.tuning.name) == (source, model, tuning)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("source=hbd", "source = 'hbd': did you mean hdb? (one of demo, hdb)"),
        ("model.name=lightgm", "model.name = 'lightgm': did you mean lightgbm?"),
        ("+split.holdout_months=3", "split.holdout_months: there is no such key; did you mean hold_out_months?"),
        ("+source.sales.0.columns.price={uint: ft}", "columns.price.uint: there is no such key; did you mean unit?"),
        ("split.hold_out_months=0", "split.hold_out_months = 0: input should be greater than or equal to 1"),
        ("validate.max_rejected_share=20", "validate.max_rejected_share = 20: input should be less than or equal to 1"),
        ("split.holdout_months=3", "split.holdout_months = '3': there is no such key; did you mean hold_out_months?"),
        ("model.parameters.num_leafs=9", "num_leafs = '9': there is no such key; did you mean num_leaves?"),
        ("spilt.hold_out_months=3", "spilt.hold_out_months = '3': there is no such key; did you mean split?"),
        ("sorce=hdb", "sorce = 'hdb': there is no such key; did you mean source?"),
        ("seed=soon", "seed = 'soon': input should be a valid integer"),
        ("+spilt.x=1", "spilt: there is no such section; did you mean split?"),
        ("+source.sales.0.columns.pryce=x", "did you mean price?"),
        ("source.sales.columns.price=x", "source.sales is a list; did you mean source.sales.0.columns?"),
        ("source.groups.1.column=heating", "source.groups.property_type.column = 'heating': there is no such column"),
        ("source.groups.0.key=locaton", "income_band.key = 'locaton': there is no such column; did you mean location?"),
        ("+source.groups.1.value=band", "belong to a group from a file"),
        ("source.groups.1.name=income_band", "groups: several are called income_band"),
        ("evaluate.tolerance.level=0", "evaluate.tolerance.level = 0: input should be greater than 0"),
        ("source.sales.0.columns.price={unit: square_feet}", "needs exactly one of column, template, constant, lookup"),
    ],
)  # fmt: skip
def test_a_slip_names_the_key_the_value_and_the_nearest_valid_choice(override, message):
    with pytest.raises(params.ParamsError) as slip:
        params.compose([override], PROJECT / "params")
    assert message in str(slip.value)


def test_every_slip_is_named_at_once():
    wrong = values()
    wrong["seed"], wrong["split"]["warm_up_months"] = "x", 0
    del wrong["drift"]
    with pytest.raises(params.ParamsError, match="drift: this section is missing"):
        params.check(wrong)
    wrong["drift"] = {"sample": 5, "share": 2}
    with pytest.raises(params.ParamsError) as slip:
        params.section("drift", wrong["drift"])
    assert "drift.sample = 5" in str(slip.value)
    assert "drift.share = 2" in str(slip.value)


def test_sections_are_frozen():
    split = params.section("split", values()["split"])
    with pytest.raises(Exception, match="frozen"):
        split.hold_out_months = 1


def test_a_notebook_gets_only_the_sections_it_picks(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values()))
    monkeypatch.chdir(tmp_path / "notebooks")
    picked = params.pick("split", "seed", given={})
    assert vars(picked).keys() == {"split", "seed"}
    assert Path.cwd() == tmp_path
    given = copy.deepcopy(values())
    given["split"]["hold_out_months"] = 3
    assert params.pick("split", given=given).split.hold_out_months == 3


def test_params_name_environment_variables_and_never_read_them():
    for path in (PROJECT / "params").rglob("*.yaml"):
        assert "oc.env" not in path.read_text(), f"{path}: its value would be written in clear into params.yaml"
