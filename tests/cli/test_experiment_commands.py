"""The commands: what an experiment takes is known beforehand, and what came of one is told."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from sqlalchemy import insert

from homei.cli.experiment_commands import abtest
from homei.config import params
from homei.evaluation.evaluate import HOLD_OUT
from homei.registry.variant_assignment import ExperimentDesign
from homei.storage import lake
from homei.warehouse.connection import WarehouseError, writing
from homei.warehouse.schema import migrate
from homei.warehouse.tables import predictions

DESIGN = ExperimentDesign("spring", "property", 0.5, "aaaa", "bbbb")
VALUED = {
    "request_id": "r", "client": "shop", "inputs": {}, "low": 90.0, "high": 110.0, "level": 0.9, "confidence": 0.9,
    "flags": [], "data_version": "d", "model_version": "m", "latency_ms": 1.0, "price": 100.0, "variant": "champion",
    "predicted_at": pd.Timestamp("2026-03-10", tz="UTC"), "experiment": DESIGN.name,
}  # fmt: skip


@pytest.fixture
def homei(settings, monkeypatch):
    """Runs a command in a project of the demo city, and gives what it prints."""
    text = params.compose(["city=demo"], Path(__file__).parents[2] / "params")
    lake.write_text(text, Path("params.yaml"))

    def run(*arguments):
        return CliRunner().invoke(abtest, arguments, catch_exceptions=False).output

    return run


def test_a_plan_states_the_number_of_sales(homei):
    draw = np.random.default_rng(1)
    price = np.exp(draw.normal(12, 0.3, 2000))
    holdout = pd.DataFrame({"price": price, "predicted": price * (1 + draw.normal(0, 0.07, 2000)), "part": HOLD_OUT})
    lake.write(pd.concat([holdout, holdout.assign(predicted=1.0, part="earlier")]), lake.PREDICTIONS)
    output = homei("plan")
    assert "0.5 points" in output
    # σ of |N(0, 0.07)|'s median is √(π ÷ 2 ÷ n) × 0.07 × … ≈ 0.055 ÷ √n: (2.80 × 2 × 0.055 ÷ 0.005)² is some 3,800.
    count = int(next(word for word in output.split() if "," in word).replace(",", ""))
    assert 2500 < count < 5500
    values = yaml.safe_load(Path("params.yaml").read_text())
    values["experiment"]["share"] = 0.1
    lake.write_text(yaml.safe_dump(values), Path("params.yaml"))
    uneven = int(next(word for word in homei("plan").split() if "," in word).replace(",", ""))
    assert uneven == pytest.approx(count * 0.25 / (0.1 * 0.9), rel=0.01)


def test_a_report_writes_a_page_and_the_numbers(homei, engine):
    migrate(engine)
    with writing(engine) as connection:
        connection.execute(insert(predictions).values(VALUED | {"prediction_id": "a", "property_id": "P1"}))
    assert homei("report", "--list") == f"{DESIGN.name}\n"
    assert "Too early to decide." in homei("report")
    assert "Champion and challenger" in Path("reports/abtest/report.html").read_text()
    numbers = json.loads(homei("report", "--json"))
    assert numbers == lake.read_json(Path("reports/abtest/report.json"))
    assert (numbers["experiment"], numbers["valuations"]) == (DESIGN.name, {"champion": 1})


def test_without_a_warehouse_or_an_experiment_the_error_says_what_to_do(homei, engine):
    with pytest.raises(WarehouseError, match="homei publish"):
        homei("report")
    migrate(engine)
    assert "homei serve --experiment" in homei("report", "--list")
