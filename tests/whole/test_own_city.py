"""A city of one's own: the YAML file of docs/your-city.md, a register as it describes it, and no code."""

import gzip
import json
import re
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import pandas as pd
import pytest
from project_copy import PROJECT, copy_project, run, serving
from valuation_requests import to_numbers, to_requests

from homei.storage import lake
from homei.training.encoding import columns_of
from homei.training.valuation_model import VALUATION, ValuationModel

pytestmark = pytest.mark.slow

# The environment of the tests is set up: `make` shall not install it into a copy.
SET_UP = ["-o", ".venv/.installed"]
SQUARE_METERS = 0.09290304  # in a square foot


class Deeds(NamedTuple):
    """A register as the page describes it: all deeds, and the reason for which each broken one is rejected."""

    sold: pd.DataFrame
    broken: dict[str, str]


BROKEN = {
    "price: missing": {"amount": ""},
    "price: not a number": {"amount": "on request"},
    "price: outside [10000, 20000000]": {"amount": "9,000", "living_area": "700"},
    "price_per_square_meter: outside [100, 20000]": {"amount": "19,500,000", "living_area": "700"},
    "square_meters: missing": {"living_area": ""},
    "square_meters: outside [15, 1000]": {"amount": "1,000,000", "living_area": "10800"},
    "sale_date: not a date": {"recorded": "31/12/2024"},
    "sale_date: after 2025-06-30": {"recorded": "07/01/2025"},
    "property_type: missing": {"style": ""},
    "location: missing": {"neighbourhood": ""},
    "row: 12 cells where the header has 11": {"heating": "gas;by the lake"},
}


def register() -> Deeds:
    """1,500 sales in thirty months up to June 2025, a few of them broken: one in a hundred and thirty."""
    random, size = np.random.default_rng(11), 1500
    month, quarter = random.integers(2023 * 12, 2025 * 12 + 6, size), random.integers(0, 8, size)
    feet, built = random.integers(600, 3600, size), random.integers(1920, 2020, size)
    style, heating = random.choice(["ranch", "colonial", "condo"], size), random.choice(["gas", "électrique"], size)
    level = 7.6 + 0.05 * quarter + 0.1 * (style == "condo") + 0.002 * (built - 1970) + 0.004 * (month - 2024 * 12)
    amount = np.exp(0.9 * np.log(feet * SQUARE_METERS) + level + random.normal(0, 0.08, size)).round()
    sold = pd.DataFrame(
        {
            "deed": [f"D{number:05}" for number in range(size)],
            "recorded": [
                f"{at % 12 + 1:02}/{day:02}/{at // 12}"
                for at, day in zip(month, random.integers(1, 29, size), strict=True)
            ],
            "amount": [f"{price:,.0f}" for price in amount],
            "living_area": feet.astype(str),
            "style": style,
            "neighbourhood": [f"Cañada {number}" for number in quarter],
            "built": built.astype(str),
            "lat": [f"{at:.5f}" for at in 39.75 + quarter / 90 + random.normal(0, 0.004, size)],
            "lon": [f"{at:.5f}" for at in -89.7 + quarter / 80 + random.normal(0, 0.004, size)],
            "lot_size": (4 * feet).astype(str),
            "heating": heating,
        }
    )
    broken = {}
    for number, (reason, cells) in enumerate(BROKEN.items()):
        sold.loc[130 * number + 7, list(cells)] = list(cells.values())
        broken[sold.loc[130 * number + 7, "deed"]] = reason
    return Deeds(sold, broken)


@pytest.fixture(scope="module")
def deeds() -> Deeds:
    return register()


@pytest.fixture(scope="module")
def springfield(deeds, tmp_path_factory) -> Path:
    """A copy of the project that has become Springfield by the steps of the page."""
    folder = copy_project(tmp_path_factory.mktemp("own") / "homei")
    lines = [";".join(deeds.sold), *map(";".join, deeds.sold.to_numpy().tolist())]
    (folder / "data/external/springfield").mkdir(parents=True)
    packed = gzip.compress("\n".join(lines).encode("latin-1"), mtime=0)
    (folder / "data/external/springfield/deeds-1.csv.gz").write_bytes(packed)
    page = (PROJECT / "docs/your-city.md").read_text(encoding="utf-8")
    example = re.search(r"^```yaml\n(# @package.*?)^```", page, re.DOTALL | re.MULTILINE)[1]
    file = folder / "params/city/springfield.yaml"
    file.write_text(example.replace("square_feet", "square_foot"), encoding="utf-8")
    before = (folder / "params.yaml").read_bytes()
    mistake = run(["make", *SET_UP, "repro", "city=springfield"], folder, check=False)
    assert mistake.returncode != 0
    assert "'square_foot': did you mean square_feet?" in mistake.stderr
    assert (folder / "params.yaml").read_bytes() == before
    file.write_text(example, encoding="utf-8")
    run(["make", *SET_UP, "repro", "city=springfield"], folder)
    return folder


def test_a_city_of_ones_own_takes_the_pages_file_and_no_code(springfield):
    metrics = json.loads((springfield / "reports/evaluation/metrics.json").read_text())
    assert metrics["currency"] == "USD"
    assert metrics["out_of_time"]["mdape"] < metrics["naive"]["mdape"]
    assert "Springfield" in (springfield / "reports/site/index.html").read_text(encoding="utf-8")
    changed = run(["git", "status", "--porcelain", "src", "notebooks", "dvc.yaml"], springfield).stdout
    assert changed == ""


def test_broken_rows_are_in_quarantine_with_their_reason_file_and_line(springfield, deeds):
    kept = lake.read(springfield / lake.QUARANTINE).set_index("transaction_id")
    assert kept["reasons"].to_dict() == deeds.broken
    assert set(kept["source_file"]) == {"deeds-1.csv.gz"}
    assert kept["source_line"].to_dict() == {name: int(name[1:]) + 2 for name in deeds.broken}
    quality = json.loads((springfield / "reports/quality/quality.json").read_text())
    assert (quality["rows"], quality["rejected"]) == (len(deeds.sold), len(deeds.broken))
    page = (springfield / "reports/quality/quality.html").read_text(encoding="utf-8")
    assert "Springfield" in page
    assert all(reason in page for reason in BROKEN)


def test_units_formats_and_letters_are_converted(springfield, deeds):
    valid = lake.read(springfield / lake.VALID["sales"]).set_index("transaction_id")
    sold = deeds.sold.set_index("deed").drop(list(deeds.broken)).loc[valid.index]
    assert len(valid) == len(deeds.sold) - len(deeds.broken)
    assert valid["price"].tolist() == sold["amount"].str.replace(",", "").astype(float).tolist()
    assert valid["square_meters"].to_numpy() == pytest.approx(sold["living_area"].astype(float) * SQUARE_METERS, 1e-6)
    assert pd.to_datetime(valid["sale_date"]).dt.strftime("%m/%d/%Y").tolist() == sold["recorded"].tolist()
    assert valid["location"].tolist() == sold["neighbourhood"].tolist()
    assert valid["heating"].tolist() == sold["heating"].tolist()
    assert valid["lot"].tolist() == sold["lot_size"].astype(float).tolist()


def test_the_service_values_it_with_its_own_attributes_and_currency(springfield):
    sales = lake.read(springfield / lake.TRAINING_SET)
    sold = sales[sales["month"] > sales["month"].max() - 6]
    values = ValuationModel.load(springfield / VALUATION).value(columns_of(sold))
    with serving(springfield) as url:
        body = {"properties": to_requests(sold, ["lot", "heating"])}
        answers = httpx.post(f"{url}/api/v1/predict/batch", json=body, timeout=60).json()["valuations"]
    assert np.array_equal(to_numbers(answers), np.stack([values.price, values.low, values.high], axis=1))
    assert {(answer["currency"], answer["as_of"]) for answer in answers} == {("USD", "2025-06-30")}
