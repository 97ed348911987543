"""Sales find the valuation they are about, each once, in either database; what is no experiment's stays out."""

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


def answer(name, home, day=0, design=DESIGN, **changes):
    variant = DESIGN.variant(home)
    own = {"prediction_id": name, "property_id": home, "variant": variant, "experiment": design and design.name}
    return VALUED | own | {"predicted_at": NOON + datetime.timedelta(days=day)} | changes


def sale(key, price=100.0, day=30, client="shop", minute=0, **about):
    told = NOON + datetime.timedelta(days=60, minutes=minute)
    own = {"client": client, "key": key, "received_at": told, "price": price, "prediction_id": None}
    return own | {"property_id": None, "sold_on": NOON.date() + datetime.timedelta(days=day)} | about


@pytest.fixture
def known(engine):
    """Puts answers and sales into an empty warehouse, and gives what it knows of an experiment."""

    def put(answers=(), sales=(), design=DESIGN):
        with writing(engine) as connection:
            for table, rows in ((predictions, answers), (feedback, sales)):
                if rows:
                    connection.execute(insert(table), list(rows))
        with reading(engine) as connection:
            return experiment_evidence(connection, design.name)

    return put


def test_a_sale_is_laid_beside_the_answer_that_it_names(known):
    found = known([answer("a", "P1"), answer("b.17", "P2", price=120.0), answer("b.18", "P3")],
                  [sale("1", 99.0, prediction_id="a"), sale("2", 118.0, prediction_id="b.17")])  # fmt: skip
    assert found.sales[["unit", "price", "valued"]].to_dict("list") == {
        "unit": ["P1", "P2"], "price": [99.0, 118.0], "valued": [100.0, 120.0],
    }  # fmt: skip
    assert found.sales["variant"].tolist() == [DESIGN.variant("P1"), DESIGN.variant("P2")]


def test_a_sale_of_a_home_is_laid_beside_its_last_answer_before_the_day(known):
    answers = [answer(f"a{day}", "P1", day, price=100.0 + day) for day in (0, 10, 29, 30, 31)]
    found = known(answers, [sale("1", property_id="P1")])
    assert found.sales["valued"].tolist() == [129.0]


def test_the_answer_that_is_named_counts_even_where_a_later_one_is_there(known):
    answers = [answer("a", "P1", 0, price=101.0), answer("b", "P1", 5, price=105.0)]
    found = known(answers, [sale("1", property_id="P1", prediction_id="a"), sale("2", property_id="P1", day=20)])
    assert found.sales["valued"].tolist() == [101.0, 105.0]


def test_a_sale_that_is_told_again_counts_once_as_it_was_told_last(known):
    told = [sale("1", 99.0, property_id="P1"), sale("2", 98.0, property_id="P1", client="other", minute=5),
            sale("3", 97.0, prediction_id="a", minute=9), sale("4", 50.0, property_id="P1", day=40)]  # fmt: skip
    found = known([answer("a", "P1")], told)
    assert found.sales["price"].tolist() == [50.0, 97.0]  # and a home that sells again is another sale
    assert found.n_reported == 4


def test_what_is_no_part_of_the_experiment_stays_out(known):
    other = ExperimentDesign("autumn", "property", 0.5, "aaaa", "cccc")
    answers = [answer("a", "P1"), answer("plain", "P2", design=None, variant=CHAMPION), answer("o", "P3", design=other)]
    told = [sale(str(n), property_id=home) for n, home in enumerate(("P1", "P2", "P3", "P4"))]
    told += [sale("x", prediction_id="plain"), sale("y", prediction_id="none")]
    found = known(answers, told)
    assert found.sales["unit"].tolist() == ["P1"]
    assert (found.answers, found.units) == ({DESIGN.variant("P1"): 1}, {DESIGN.variant("P1"): 1})
    assert (found.since, found.until, found.n_reported) == ("2026-03-10", "2026-03-10", 6)


def test_units_are_counted_once_however_often_they_ask(known):
    homes = [f"P{number}" for number in range(30)]
    found = known([answer(f"{home}-{day}", home, day) for home in homes for day in range(3)])
    champions = sum(DESIGN.variant(home) == CHAMPION for home in homes)
    assert found.units == {CHAMPION: champions, CHALLENGER: 30 - champions}
    assert found.answers == {CHAMPION: 3 * champions, CHALLENGER: 3 * (30 - champions)}


def test_where_clients_are_the_unit_they_are_what_is_counted(known):
    answers = [answer(f"{client}{n}", None, design=BY_CLIENT, client=client, variant=BY_CLIENT.variant(client))
               for client in ("shop", "bank") for n in range(4)]  # fmt: skip
    found = known(answers, [sale("1", prediction_id="bank2")], BY_CLIENT)
    assert sum(found.units.values()) == 2
    assert found.sales["unit"].tolist() == ["bank"]


def test_the_experiment_that_answered_last_comes_last(known, engine):
    other = ExperimentDesign("autumn", "property", 0.5, "aaaa", "cccc")
    known([answer("a", "P1", 3), answer("o", "P3", 1, design=other), answer("p", "P4", 9, design=None)])
    with reading(engine) as connection:
        assert experiment_names(connection) == [other.name, DESIGN.name]


def settings(**changes):
    return params.section("experiment", OWN["experiment"] | changes), params.section("promote", OWN["promote"]), 1


def test_without_an_experiment_it_is_told_how_one_begins(known, engine):
    known()
    with reading(engine) as connection, pytest.raises(NoExperimentError, match=r"homei serve --experiment"):
        experiment_result(connection, None, *settings())


def test_an_experiment_without_sales_is_too_early_and_has_a_page(known, engine):
    known([answer("a", "P1"), answer("b", "P2")])
    with reading(engine) as connection:
        with pytest.raises(NoExperimentError, match="the warehouse has\nspring/property"):
            experiment_result(connection, "winter", *settings())
        found = experiment_result(connection, None, *settings())
    assert found["verdict"] == "too_early"
    pages.write(found, "Town")
    assert "Too early to decide." in pages.format_result(found)
    assert "Too early to decide." in pages.PAGE.read_text()


def test_a_better_challenger_is_found_in_the_warehouse(known, engine):
    draw = np.random.default_rng(3)
    homes = pd.DataFrame({"home": [f"P{number}" for number in range(3000)]})
    error = np.where(homes["home"].map(DESIGN.variant) == CHALLENGER, 0.04, 0.05) / 0.6745
    valued = 1e5 * (1 + draw.normal(0, 1, 3000) * error)
    answers = [answer(f"{home}.0", home, price=value, low=value * 0.9, high=value * 1.1)
               for home, value in zip(homes["home"], valued.tolist(), strict=True)]  # fmt: skip
    known(answers, [sale(home, 1e5, property_id=home) for home in homes["home"]])
    with reading(engine) as connection:
        found = experiment_result(connection, None, *settings(sales=3000))
    assert found["verdict"] == "better"
    assert found["interval"][0] < -0.01 < found["interval"][1] < 0
    pages.write(found, "Town")
    assert "error is significantly lower" in pages.PAGE.read_text()
    assert "Promote: the challenger's error is significantly lower" in pages.format_result(found)
