"""Evidence of experiments: each sale once, with its valuation, on both databases."""

import datetime

import numpy as np
import pandas as pd
import pytest
import yaml
from sqlalchemy import insert

from homei.cli.experiment_commands import NoExperimentError, experiment_result
from homei.config import params
from homei.registry.variant_assignment import CHALLENGER, CHAMPION, ExperimentDesign
from homei.reporting import experiment_page as pages
from homei.warehouse.connection import reading, writing
from homei.warehouse.experiments import experiment_evidence, experiment_names
from homei.warehouse.tables import feedback, predictions

OWN = yaml.safe_load(params.compose(["city=demo"]))
DESIGN = ExperimentDesign("spring", "property", 0.5, "aaaa", "bbbb")
BY_CLIENT = ExperimentDesign("spring", "client", 0.5, "aaaa", "bbbb")
NOON = datetime.datetime(2026, 3, 10, 12, tzinfo=datetime.UTC)
VALUED = {
    "request_id": "r", "client": "shop", "inputs": {}, "low": 90.0, "high": 110.0, "level": 0.9, "confidence": 0.9,
    "flags": [], "data_version": "d", "model_version": "m", "latency_ms": 1.0, "price": 100.0,
}  # fmt: skip


def valuation(name, property_id, day=0, design=DESIGN, **changes):
    variant = DESIGN.variant(property_id)
    own = {"prediction_id": name, "property_id": property_id, "variant": variant, "experiment": design and design.name}
    return VALUED | own | {"predicted_at": NOON + datetime.timedelta(days=day)} | changes


def sale(key, price=100.0, day=30, client="shop", minute=0, **about):
    reported = NOON + datetime.timedelta(days=60, minutes=minute)
    own = {"client": client, "key": key, "received_at": reported, "price": price, "prediction_id": None}
    return own | {"property_id": None, "sold_on": NOON.date() + datetime.timedelta(days=day)} | about


@pytest.fixture
def evidence_of(engine):
    """Puts answers and sales into an empty warehouse, and gives what it knows of an experiment."""

    def put(valuations=(), sales=(), design=DESIGN):
        with writing(engine) as connection:
            for table, rows in ((predictions, valuations), (feedback, sales)):
                if rows:
                    connection.execute(insert(table), list(rows))
        with reading(engine) as connection:
            return experiment_evidence(connection, design.name)

    return put


def test_a_sale_is_compared_with_the_valuation_that_it_names(evidence_of):
    result = evidence_of([valuation("a", "P1"), valuation("b.17", "P2", price=120.0), valuation("b.18", "P3")],
                  [sale("1", 99.0, prediction_id="a"), sale("2", 118.0, prediction_id="b.17")])  # fmt: skip
    assert result.sales[["unit", "price", "valued"]].to_dict("list") == {
        "unit": ["P1", "P2"], "price": [99.0, 118.0], "valued": [100.0, 120.0],
    }  # fmt: skip
    assert result.sales["variant"].tolist() == [DESIGN.variant("P1"), DESIGN.variant("P2")]


def test_a_sale_of_a_property_is_compared_with_its_last_valuation_before_the_day(evidence_of):
    valuations = [valuation(f"a{day}", "P1", day, price=100.0 + day) for day in (0, 10, 29, 30, 31)]
    result = evidence_of(valuations, [sale("1", property_id="P1")])
    assert result.sales["valued"].tolist() == [129.0]


def test_the_named_valuation_counts_even_if_a_later_one_exists(evidence_of):
    valuations = [valuation("a", "P1", 0, price=101.0), valuation("b", "P1", 5, price=105.0)]
    result = evidence_of(
        valuations, [sale("1", property_id="P1", prediction_id="a"), sale("2", property_id="P1", day=20)]
    )
    assert result.sales["valued"].tolist() == [101.0, 105.0]


def test_a_sale_that_is_reported_again_counts_once_as_reported_last(evidence_of):
    reported = [sale("1", 99.0, property_id="P1"), sale("2", 98.0, property_id="P1", client="other", minute=5),
            sale("3", 97.0, prediction_id="a", minute=9), sale("4", 50.0, property_id="P1", day=40)]  # fmt: skip
    result = evidence_of([valuation("a", "P1")], reported)
    assert result.sales["price"].tolist() == [50.0, 97.0]  # and a home that sells again is another sale
    assert result.n_reported == 4


def test_valuations_and_sales_outside_the_experiment_are_ignored(evidence_of):
    other = ExperimentDesign("autumn", "property", 0.5, "aaaa", "cccc")
    valuations = [
        valuation("a", "P1"),
        valuation("plain", "P2", design=None, variant=CHAMPION),
        valuation("o", "P3", design=other),
    ]
    reported = [sale(str(n), property_id=property_id) for n, property_id in enumerate(("P1", "P2", "P3", "P4"))]
    reported += [sale("x", prediction_id="plain"), sale("y", prediction_id="none")]
    result = evidence_of(valuations, reported)
    assert result.sales["unit"].tolist() == ["P1"]
    assert (result.valuations, result.units) == ({DESIGN.variant("P1"): 1}, {DESIGN.variant("P1"): 1})
    assert (result.since, result.until, result.n_reported) == ("2026-03-10", "2026-03-10", 6)


def test_units_with_several_valuations_are_counted_once(evidence_of):
    properties = [f"P{number}" for number in range(30)]
    result = evidence_of(
        [valuation(f"{property_id}-{day}", property_id, day) for property_id in properties for day in range(3)]
    )
    champions = sum(DESIGN.variant(property_id) == CHAMPION for property_id in properties)
    assert result.units == {CHAMPION: champions, CHALLENGER: 30 - champions}
    assert result.valuations == {CHAMPION: 3 * champions, CHALLENGER: 3 * (30 - champions)}


def test_clients_are_counted_if_they_are_the_unit(evidence_of):
    valuations = [valuation(f"{client}{n}", None, design=BY_CLIENT, client=client, variant=BY_CLIENT.variant(client))
               for client in ("shop", "bank") for n in range(4)]  # fmt: skip
    result = evidence_of(valuations, [sale("1", prediction_id="bank2")], BY_CLIENT)
    assert sum(result.units.values()) == 2
    assert result.sales["unit"].tolist() == ["bank"]


def test_the_experiment_with_the_latest_valuation_comes_last(evidence_of, engine):
    other = ExperimentDesign("autumn", "property", 0.5, "aaaa", "cccc")
    evidence_of([valuation("a", "P1", 3), valuation("o", "P3", 1, design=other), valuation("p", "P4", 9, design=None)])
    with reading(engine) as connection:
        assert experiment_names(connection) == [other.name, DESIGN.name]


def settings(**changes):
    return params.section("experiment", OWN["experiment"] | changes), params.section("promote", OWN["promote"]), 1


def test_without_an_experiment_the_error_says_how_to_start_one(evidence_of, engine):
    evidence_of()
    with reading(engine) as connection, pytest.raises(NoExperimentError, match=r"homei serve --experiment"):
        experiment_result(connection, None, *settings())


def test_an_experiment_without_sales_is_too_early_and_has_a_page(evidence_of, engine):
    evidence_of([valuation("a", "P1"), valuation("b", "P2")])
    with reading(engine) as connection:
        with pytest.raises(NoExperimentError, match="the warehouse has\nspring/property"):
            experiment_result(connection, "winter", *settings())
        result = experiment_result(connection, None, *settings())
    assert result["verdict"] == "too_early"
    pages.write(result, "Town")
    assert "Too early to decide." in pages.format_result(result)
    assert "Too early to decide." in pages.PAGE.read_text()


def test_a_better_challenger_is_found_in_the_warehouse(evidence_of, engine):
    draw = np.random.default_rng(3)
    properties = pd.DataFrame({"home": [f"P{number}" for number in range(3000)]})
    error = np.where(properties["home"].map(DESIGN.variant) == CHALLENGER, 0.04, 0.05) / 0.6745
    valued = 1e5 * (1 + draw.normal(0, 1, 3000) * error)
    valuations = [valuation(f"{property_id}.0", property_id, price=value, low=value * 0.9, high=value * 1.1)
               for property_id, value in zip(properties["home"], valued.tolist(), strict=True)]  # fmt: skip
    evidence_of(valuations, [sale(property_id, 1e5, property_id=property_id) for property_id in properties["home"]])
    with reading(engine) as connection:
        result = experiment_result(connection, None, *settings(sales=3000))
    assert result["verdict"] == "better"
    assert result["interval"][0] < -0.01 < result["interval"][1] < 0
    pages.write(result, "Town")
    assert "error is significantly lower" in pages.PAGE.read_text()
    assert "Promote: the challenger's error is significantly lower" in pages.format_result(result)
