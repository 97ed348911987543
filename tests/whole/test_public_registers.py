"""Cities in the shapes of public registers, from their files to a served valuation without a parameter touched.

Costs about four minutes a city: each is built by `make repro`.
"""

import json

import httpx
import numpy as np
import pandas as pd
import pytest
from project_copy import copy_project, run, serving
from register_shapes import county, suburbs

from homei.storage import lake

pytestmark = pytest.mark.nightly
SET_UP = ["-o", ".venv/.installed"]


@pytest.mark.parametrize(("name", "register", "currency"), [("county", county, "USD"), ("suburbs", suburbs, "AUD")])
def test_a_public_register_is_valued_from_its_file_alone(name, register, currency, tmp_path):
    sold, right = register()
    folder = copy_project(tmp_path / "homei")
    sold.to_csv(tmp_path / f"{name}.csv", index=False)
    run(["homei", "init", name, str(tmp_path / f"{name}.csv"), "--currency", currency], folder)
    run(["homei", "check", name], folder)
    run(["make", *SET_UP, "repro", f"city={name}"], folder)

    valid = lake.read(folder / lake.VALID["sales"])
    expected = right.iloc[valid["source_line"].to_numpy() - 2].reset_index(drop=True)
    assert len(valid) == right["price"].notna().sum()
    assert (pd.to_datetime(valid["sale_date"]).to_numpy() == expected["sale_date"].to_numpy()).all()
    assert valid["price"].to_numpy() == pytest.approx(expected["price"].to_numpy())
    assert valid["square_meters"].to_numpy() == pytest.approx(expected["square_meters"], rel=1e-6, nan_ok=True)

    metrics = json.loads((folder / "reports/evaluation/metrics.json").read_text())
    assert metrics["out_of_time"]["mdape"] < metrics["naive"]["mdape"]
    sale = lake.read(folder / lake.TRAINING_SET).iloc[[-1]]
    body = {"location": str(sale["location"].iloc[0]), "property_type": str(sale["property_type"].iloc[0])}
    if not np.isnan(sale["square_meters"].iloc[0]):
        body["square_meters"] = float(sale["square_meters"].iloc[0])
    with serving(folder) as url:
        answer = httpx.post(f"{url}/api/v1/predict/price", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.json()["currency"] == currency
