"""params.yaml is composed from params/, and a slip in it stops with the key, the value and what would be right."""

from pathlib import Path

import pytest
import yaml

from homei.config import params

PROJECT = Path(__file__).parents[2]


def values():
    return yaml.safe_load(params.compose(groups=PROJECT / "params"))


def test_the_committed_params_are_what_the_groups_compose_to():
    assert params.compose(groups=PROJECT / "params") == (PROJECT / "params.yaml").read_text()


def test_a_city_with_only_sales_has_a_key_for_every_table_that_the_graph_ingests():
    tables = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]["ingest"]["matrix"]["table"]
    composed = yaml.safe_load(params.compose(["city=hdb"], PROJECT / "params"))
    assert set(tables) <= composed["feeds"].keys()
    assert params.check(composed).feeds.listings == []


@pytest.mark.parametrize("city", sorted(path.stem for path in (PROJECT / "params/city").glob("*.yaml")))
@pytest.mark.parametrize("model", sorted(path.stem for path in (PROJECT / "params/model").glob("*.yaml")))
@pytest.mark.parametrize("tuning", ["fast", "full"])
def test_every_choice_of_groups_composes(city, model, tuning):
    overrides = [f"city={city}", f"model={model}", f"tuning={tuning}", "spark=cluster"]
    composed = params.check(yaml.safe_load(params.compose(overrides, PROJECT / "params")))
    assert (composed.city.name, composed.model.name, composed.tuning.name) == (city, model, tuning)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("city=hbd", "city = 'hbd': did you mean hdb? (one of demo, hdb)"),
        ("model.name=lightgm", "model.name = 'lightgm': did you mean lightgbm?"),
        ("+split.holdout_months=3", "split.holdout_months: there is no such key; did you mean hold_out_months?"),
        ("+feeds.sales.0.columns.price={uint: ft}", "columns.price.uint: there is no such key; did you mean unit?"),
        ("split.hold_out_months=0", "split.hold_out_months = 0: input should be greater than or equal to 1"),
        ("validate.max_rejected_share=20", "validate.max_rejected_share = 20: input should be less than or equal to 1"),
        ("split.holdout_months=3", "split.holdout_months = '3': there is no such key; did you mean hold_out_months?"),
        ("model.parameters.num_leafs=9", "num_leafs = '9': there is no such key; did you mean num_leaves?"),
        ("spilt.hold_out_months=3", "spilt.hold_out_months = '3': there is no such key; did you mean split?"),
        ("citi=hdb", "citi = 'hdb': there is no such key; did you mean city?"),
        ("seed=soon", "seed = 'soon': input should be a valid integer"),
        ("+spilt.x=1", "spilt: there is no such section; did you mean split?"),
        ("+feeds.sales.0.columns.pryce=x", "did you mean price?"),
        ("feeds.sales.columns.price=x", "feeds.sales is a list; did you mean feeds.sales.0.columns?"),
        ("city.groups.1.column=heating", "city.groups.property_type.column = 'heating': there is no such column"),
        ("city.groups.0.key=locaton", "income_band.key = 'locaton': there is no such column; did you mean location?"),
        ("+city.groups.1.value=band", "belong to a group from a file"),
        ("city.place_kinds=[park]", "city.place_kinds: must name the kinds in feeds.places: [park, school, station]"),
        ("city.attributes.numeric=[rooms]", "city.attributes: no feed of sales maps rooms"),
        ("city.groups.1.name=income_band", "groups: several are called income_band"),
        ("evaluate.tolerance.level=0", "evaluate.tolerance.level = 0: input should be greater than 0"),
        ("feeds.sales.0.columns.price={unit: square_feet}", "needs exactly one of column, template, constant, lookup"),
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
    wrong["drift"] = {"max_rows": 5, "drifted_share": 2}
    with pytest.raises(params.ParamsError) as slip:
        params.section("drift", wrong["drift"])
    assert "drift.max_rows = 5" in str(slip.value)
    assert "drift.drifted_share = 2" in str(slip.value)


def test_sections_are_frozen():
    split = params.section("split", values()["split"])
    with pytest.raises(Exception, match="frozen"):
        split.hold_out_months = 1


def test_picked_sections_are_read_from_the_projects_folder(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values()))
    monkeypatch.chdir(tmp_path / "notebooks")
    picked = params.pick("split", "seed")
    assert vars(picked).keys() == {"split", "seed"}
    assert Path.cwd() == tmp_path


def test_params_name_environment_variables_and_never_read_them():
    for path in (PROJECT / "params").rglob("*.yaml"):
        assert "oc.env" not in path.read_text(), f"{path}: its value would be written in clear into params.yaml"
