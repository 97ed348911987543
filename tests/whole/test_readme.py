"""README, word by word: its commands run, its city is built, and its answer is the one that the service gives."""

import gzip
import json
import re
import shlex
import shutil

import httpx
import numpy as np
import pytest
import yaml
from newcomer import PROJECT, run, serving

from homei import lake

TEXT = (PROJECT / "README.md").read_text(encoding="utf-8")
# Commands that something else runs: the fixture `city`, test_rebuild.py, or whoever runs these tests.
ELSEWHERE = {
    "make repro": "the fixture city does what it does after its set-up",
    "make repro source=hdb": "test_rebuild.py",
    "homei fetch hdb --from ~/downloads/hdb": "test_rebuild.py, from another folder",
    "dvc exp run --name ridge -S model=linear -S tuning.trials=2": "test_rebuild.py",
    "dvc exp run --queue -S model.parameters.num_leaves=31": "test_rebuild.py",
    "dvc exp run --queue -S model=hist_gradient_boosting -S tuning.trials=2": "test_rebuild.py, with other values",
    "dvc exp run --run-all": "test_rebuild.py",
    "dvc exp show": "test_rebuild.py",
    "source .venv/bin/activate": "the tests run in that environment",
    "make test": "runs these tests",
    "make lint": "continuous integration",
    "make bench": "measures for minutes",
}


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", TEXT, re.DOTALL | re.MULTILINE)
    return [re.sub(rf"(?m)^{indent}", "", block) for indent, block in found]


def commands() -> list[str]:
    """Every shell command, its continued lines joined and its remark left out."""
    lines = "\n".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [re.sub(r"\s+#.*", "", line).strip() for line in lines if line.strip()]


def test_every_command_is_run_here_or_elsewhere():
    here = [command for command in commands() if command.startswith("curl ") or command == "make serve"]
    assert sorted([*here, *ELSEWHERE]) == sorted(set(commands()))
    assert len(here) == 3


def test_what_experiments_set_is_a_parameter_or_a_group():
    known = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    for key, value in re.findall(r"-S '?([\w.]+)=([^'`\s]*)", TEXT):
        if (PROJECT / "params" / key).is_dir():
            assert (PROJECT / "params" / key / f"{value}.yaml").exists()
            continue
        at = known
        for part in key.split("."):
            assert part in at, key
            at = at[part]


@pytest.mark.slow
def test_the_service_answers_as_the_page_says(city):
    asked, refused = (shlex.split(command) for command in commands() if command.startswith("curl "))
    with serving(city) as url:
        answer, refusal = (
            httpx.post(
                command[2].replace("localhost:3000", url),
                content=command[command.index("-d") + 1],
                headers={"content-type": "application/json"},
            )
            for command in (asked, refused)
        )
    assert answer.json() == json.loads(blocks("json")[0])
    assert refusal.status_code == 422
    assert {detail["field"] for detail in refusal.json()["detail"]} == {"square_meters", "property_type"}


@pytest.mark.slow
def test_a_city_of_ones_own_takes_the_page_s_file_and_no_code(city, tmp_path):
    folder = shutil.copytree(city, tmp_path / "springfield", symlinks=True)
    (folder / "params/source/springfield.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    broken = write_deeds(folder / "data/external/springfield/deeds-2025.csv.gz")
    # What `make repro source=springfield` does once its set-up is done.
    run(["homei", "compose", "source=springfield", "tuning.trials=1"], folder)
    run(["dvc", "repro"], folder)
    metrics = json.loads((folder / "reports/evaluation/metrics.json").read_text())
    assert metrics["currency"] == "USD"
    assert metrics["out_of_time"]["mdape"] < metrics["naive"]["mdape"]
    quarantined = lake.read(folder / lake.QUARANTINE)
    assert set(quarantined["transaction_id"]) == broken
    assert quarantined["reasons"].astype(str).str.len().min() > 0
    assert "Springfield" in (folder / "reports/site/index.html").read_text(encoding="utf-8")
    assert (folder / "reports/quality/quality.html").exists()


def write_deeds(path) -> set[str]:
    """Three thousand sales in forty months as the page describes them; returns the deeds of the broken ones."""
    random = np.random.default_rng(11)
    lines, broken = ["deed;recorded;amount;living_area;style;neighbourhood;built;lat;lon;lot_size;heating"], set()
    for number in range(3000):
        month = int(random.integers(0, 40)) + 2022 * 12 + 2  # from March 2022 to June 2025
        feet, quarter = float(random.integers(600, 3600)), int(random.integers(0, 8))
        style, built = str(random.choice(["ranch", "colonial", "condo"])), int(random.integers(1920, 2020))
        level = 5.0 + 0.04 * quarter + 0.1 * (style == "condo") + 0.002 * (built - 1970) + 0.004 * (month - 24266)
        amount = f"{feet**0.9 * np.exp(level + random.normal(0, 0.08)) * 2:,.0f}"
        if number % 250 == 7:
            amount = ["", "-5", "999"][number // 250 % 3]
            broken.add(f"D{number}")
        day = f"{month % 12 + 1:02}/{int(random.integers(1, 28)):02}/{month // 12}"
        place = f"{39.75 + quarter / 90 + random.normal(0, 0.004):.5f};{-89.7 + quarter / 80:.5f}"
        rest = f"{int(feet * 4)};{random.choice(['gas', 'électrique'])}"
        lines.append(f"D{number};{day};{amount};{feet:.0f};{style};Quarter {quarter};{built};{place};{rest}")
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress("\n".join(lines).encode("latin-1"), mtime=0))
    return broken
