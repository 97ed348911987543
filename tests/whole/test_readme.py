"""README, word by word: its commands run, its city is built, and its answer is the one that the service gives."""

import gzip
import json
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import pandas as pd
import pytest
from asking import as_numbers, as_requests
from newcomer import PROJECT, run, serving

from homei import lake, params
from homei.model.preprocess import columns_of
from homei.model.train import VALUATION
from homei.model.valuation import Valuation

TEXT = (PROJECT / "README.md").read_text(encoding="utf-8")
# Run here, in a copy of the city.
HERE = [
    "make serve",
    "make help",
    "make repro source=springfield",
    "homei compose",
    "homei verify",
    "homei lineage sales T000017",
    "homei champions",
    "homei sample 50 --by location",
    "homei publish",
    "homei publish --check",
    "homei migrate",
    "dvc plots show",
    "dvc metrics diff",
    "dvc remote add -d storage s3://bucket/homei",
]
# Run by something else: the fixture `city`, test_rebuild.py, or whoever runs these tests.
ELSEWHERE = {
    "make repro": "the fixture city does what it does after its set-up",
    "make repro source=hdb backtest=full": "tests/rebuilds, which need the real sales",
    "homei fetch springfield": "tests/sources, on servers of their own",
    "homei fetch springfield --again": "tests/sources, on servers of their own",
    "homei fetch hdb --from ~/downloads/hdb": "tests/rebuilds, from another folder",
    "dvc exp run --name ridge -S model=linear -S tuning.trials=2": "test_rebuild.py",
    "dvc exp run --queue -S model.parameters.num_leaves=31": "test_rebuild.py",
    "dvc exp run --queue -S model=hist_gradient_boosting -S tuning.trials=2": "test_rebuild.py, with other values",
    "dvc exp run --run-all": "test_rebuild.py",
    "dvc exp show": "test_rebuild.py",
    "dvc exp run -S source=hdb": "composed here; tests/rebuilds build that city",
    "dvc exp run -S 'train.left_out=[]'": "composed here",
    "export HOMEI_STUDY_DATABASE='postgresql+psycopg://homei:secret@db.example.com/studies'": "needs such a server",
    "homei search --minutes 20": "tests/model/test_search.py, with fewer",
    "export HOMEI_WAREHOUSE=postgresql://homei:secret@db.example.com/homei": "tests/warehouse, on its own server",
    "export HOMEI_CACHE=redis://:secret@cache.example.com:6379/0": "tests/serve/cache, on its own server",
    "homei abtest plan": "tests/warehouse/test_abtest.py",
    "homei serve --experiment": "tests/serve/test_two_bentos.py, up to what homei serve adds",
    "homei abtest report": "tests/warehouse/test_abtest.py",
    "homei promote --dry-run": "tests/model/test_promote.py",
    "homei promote": "tests/model/test_promote.py",
    "homei serve --champion": "tests/model/test_champions.py, up to the start of a server",
    "homei rollback": "tests/model/test_champions.py",
    "homei reload": "tests/model/test_champions.py",
    "homei serve": "make serve, here",
    "git push --follow-tags && dvc push": "needs a remote",
    "export HOMEI_KEYS=~/.homei/keys": "the walk below, with another folder",
    "homei key new": "the walk below",
    "homei client add partner --scope predict": "the walk below",
    "homei client list": "tests/serve/access/test_commands.py",
    "homei client revoke partner": "tests/serve/access/test_commands.py",
    "homei audit verify": "the walk below",
    "homei serve --host 0.0.0.0 --certificate site.crt --certificate-key site.key": "tests/serve, up to its options",
    "source .venv/bin/activate": "the tests run in that environment",
    "make test": "runs these tests",
    "make lint": "continuous integration",
    "make bench": "measures for minutes",
    "make lab": "opens a browser; tests/test_notebooks.py runs what it opens",
}
# The Makefile's set-up is what these tests run in: nothing is to be installed into a copy.
SET_UP = ["-o", ".venv/.installed"]
SQUARE_METERS = 0.09290304  # in a square foot


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", TEXT, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"(?m)^{indent}", "", block) for indent, block in found]


def commands() -> list[str]:
    """Every shell command of a block, its continued lines joined and its remark left out."""
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [re.sub(r"\s+#.*", "", line).strip() for line in lines if line.strip()]


def mentioned() -> list[str]:
    """The commands in the middle of a sentence."""
    return [re.sub(r"\s+", " ", found) for found in re.findall(r"`((?:make|homei|dvc) [^`]*)`", TEXT)]


def curls() -> list[str]:
    return [command for command in commands() if command.startswith("curl ")]


def with_a_token() -> list[str]:
    """The commands that ask for a token, and by it for a valuation."""
    return [command for command in commands() if "TOKEN" in command]


def test_every_command_is_run_here_or_elsewhere():
    assert sorted({*HERE, *ELSEWHERE, *curls(), *with_a_token()}) == sorted({*commands(), *mentioned()})
    assert not set(HERE) & set(ELSEWHERE)
    assert (len(curls()), len(with_a_token())) == (3, 2)


@pytest.mark.parametrize("setting", sorted({one.strip("'") for one in re.findall(r"-S ('[^']*'|[^\s`]+)", TEXT)}))
def test_what_an_experiment_sets_is_a_choice_or_a_parameter_that_there_is(setting):
    params.compose([setting], PROJECT / "params")


@pytest.fixture(scope="module")
def copy(city, tmp_path_factory) -> Path:
    """The city in a folder that may be changed."""
    return shutil.copytree(city, tmp_path_factory.mktemp("page") / "homei", symlinks=True)


@pytest.fixture(scope="module")
def url(city):
    """What `make serve` answers at, on a port that is free."""
    with serving(city) as address:
        yield address


def answer_of(command: str, url: str) -> tuple[int, str]:
    """The status and the body that a curl command of the page gets, from the service that runs here."""
    assert "localhost:3000" in command
    given = command.replace("localhost:3000", url.removeprefix("http://"))
    body, _, status = run(["sh", "-c", f"{given} -w '\\n%{{http_code}}'"], PROJECT).stdout.rpartition("\n")
    return int(status), body


@pytest.mark.slow
def test_the_service_answers_as_the_page_says(url):
    status, body = answer_of(curls()[0], url)
    assert status == 200
    assert json.loads(body) == json.loads(blocks("json")[0])


@pytest.mark.slow
def test_the_page_s_bad_request_is_refused_with_the_fields_that_are_wrong(url):
    status, body = answer_of(curls()[1], url)
    assert status == 422
    assert {problem["field"] for problem in json.loads(body)["errors"]} == {"square_meters", "property_type"}


@pytest.mark.slow
def test_the_walk_from_a_key_to_a_valuation_with_a_token_leads_to_the_page_s_answer(copy, tmp_path, monkeypatch):
    monkeypatch.setenv("HOMEI_KEYS", str(tmp_path / "keys"))
    run(["homei", "key", "new"], copy)
    added = run(["homei", "client", "add", "partner", "--scope", "predict"], copy).stdout
    monkeypatch.setenv("SECRET", added.split()[-1])
    with serving(copy) as url:
        assert answer_of(curls()[0], url)[0] == 401
        walk = "\n".join(with_a_token()).replace("localhost:3000", url.removeprefix("http://"))
        answer = run(["sh", "-c", walk], copy).stdout
    assert json.loads(answer) == json.loads(blocks("json")[0])
    assert "lines are whole" in run(["homei", "audit", "verify"], copy).stdout


@pytest.mark.slow
def test_the_addresses_that_the_page_names_are_there(url):
    for path in ("/docs", "/livez", "/readyz", "/metrics"):
        assert f"`{path}`" in TEXT
        assert httpx.get(url + path, follow_redirects=True).status_code == 200


@pytest.mark.slow
def test_make_serve_serves_at_the_address_that_the_page_names(copy):
    assert run(["make", "-n", *SET_UP, "serve"], copy).stdout.strip() == "homei serve"
    default = re.search(r"Port to listen on\.\s+\[default: (\d+)\]", run(["homei", "serve", "--help"], copy).stdout)
    assert f"http://127.0.0.1:{default[1]}" in TEXT


@pytest.mark.slow
def test_make_help_lists_the_targets_that_the_page_lists(copy):
    targets = re.findall(r"^make (\w+)", run(["make", "help"], copy).stdout, re.MULTILINE)
    (rest,) = re.findall(r"`make help` lists the rest: `([^`]*)`", TEXT)
    assert sorted(targets) == sorted([*rest.split(), "help", "repro", "serve"])


@pytest.mark.slow
@pytest.mark.parametrize("command", [command for command in HERE if not command.startswith("make ")])
def test_a_command_within_a_sentence_runs_as_it_stands(copy, command):
    before = (copy / "params.yaml").read_bytes()
    run(["sh", "-c", command], copy)
    assert (copy / "params.yaml").read_bytes() == before


class Deeds(NamedTuple):
    """A register as the page describes it: each deed as it was, and of the broken ones what is wrong."""

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
def springfield(city, deeds, tmp_path_factory) -> Path:
    """A copy of the city that has become Springfield, by the page's three steps."""
    folder = shutil.copytree(city, tmp_path_factory.mktemp("own") / "homei", symlinks=True)
    lines = [";".join(deeds.sold), *map(";".join, deeds.sold.to_numpy().tolist())]
    (folder / "data/external/springfield").mkdir()
    packed = gzip.compress("\n".join(lines).encode("latin-1"), mtime=0)
    (folder / "data/external/springfield/deeds-1.csv.gz").write_bytes(packed)
    (page,) = [block for block in blocks("yaml") if block.startswith("name: springfield")]
    file = folder / "params/source/springfield.yaml"
    file.write_text(page.replace("square_feet", "square_foot"), encoding="utf-8")
    before = (folder / "params.yaml").read_bytes()
    slip = run(["make", *SET_UP, "repro", "source=springfield"], folder, check=False)
    assert slip.returncode != 0
    assert "source.sales.columns.square_meters.unit = 'square_foot': did you mean square_feet?" in slip.stderr
    assert (folder / "params.yaml").read_bytes() == before
    file.write_text(page, encoding="utf-8")
    run(["make", *SET_UP, "repro", "source=springfield"], folder)
    return folder


@pytest.mark.slow
def test_a_city_of_ones_own_takes_the_page_s_file_and_no_code(springfield):
    metrics = json.loads((springfield / "reports/evaluation/metrics.json").read_text())
    assert metrics["currency"] == "USD"
    assert metrics["out_of_time"]["mdape"] < metrics["naive"]["mdape"]
    assert "Springfield" in (springfield / "reports/site/index.html").read_text(encoding="utf-8")
    changed = run(["git", "status", "--porcelain", "src", "notebooks", "dvc.yaml"], springfield).stdout
    assert changed == ""


@pytest.mark.slow
def test_its_broken_rows_are_in_quarantine_each_with_its_reason_its_file_and_its_line(springfield, deeds):
    kept = lake.read(springfield / lake.QUARANTINE).set_index("transaction_id")
    assert kept["reasons"].to_dict() == deeds.broken
    assert set(kept["source_file"]) == {"deeds-1.csv.gz"}
    assert kept["source_line"].to_dict() == {name: int(name[1:]) + 2 for name in deeds.broken}
    quality = json.loads((springfield / "reports/quality/quality.json").read_text())
    assert (quality["rows"], quality["rejected"]) == (len(deeds.sold), len(deeds.broken))
    page = (springfield / "reports/quality/quality.html").read_text(encoding="utf-8")
    assert "Springfield" in page
    assert all(reason in page for reason in BROKEN)


@pytest.mark.slow
def test_its_units_formats_and_letters_arrive(springfield, deeds):
    valid = lake.read(springfield / lake.VALID_SALES).set_index("transaction_id")
    sold = deeds.sold.set_index("deed").drop(list(deeds.broken)).loc[valid.index]
    assert len(valid) == len(deeds.sold) - len(deeds.broken)
    assert valid["price"].tolist() == sold["amount"].str.replace(",", "").astype(float).tolist()
    assert valid["square_meters"].to_numpy() == pytest.approx(sold["living_area"].astype(float) * SQUARE_METERS, 1e-6)
    assert pd.to_datetime(valid["sale_date"]).dt.strftime("%m/%d/%Y").tolist() == sold["recorded"].tolist()
    assert valid["location"].tolist() == sold["neighbourhood"].tolist()
    assert valid["heating"].tolist() == sold["heating"].tolist()
    assert valid["lot"].tolist() == sold["lot_size"].astype(float).tolist()


@pytest.mark.slow
def test_it_is_served_with_its_own_attributes_and_currency_as_the_model_values_it(springfield):
    sales = lake.read(springfield / lake.READY)
    sold = sales[sales["month"] > sales["month"].max() - 6]
    values = Valuation.load(springfield / VALUATION).value(columns_of(sold))
    with serving(springfield) as url:
        body = {"properties": as_requests(sold, ["lot", "heating"])}
        answers = httpx.post(f"{url}/api/v1/predict/batch", json=body, timeout=60).json()["valuations"]
    assert np.array_equal(as_numbers(answers), np.stack([values.price, values.low, values.high], axis=1))
    assert {(answer["currency"], answer["as_of"]) for answer in answers} == {("USD", "2025-06-30")}
