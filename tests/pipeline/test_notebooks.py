import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from homei.pipeline import notebooks
from homei.storage import lake

PROJECT = Path(__file__).parents[2]
WRITTEN = sorted((PROJECT / "notebooks").glob("*.ipynb"))

# Everything that differs from one run to the next, all in one notebook.
CHANCE = """
import datetime, os, sys, time, uuid, warnings
from IPython.display import HTML, display

print(list({"a", "b", "c", "d", "e"}), time.tzname, file=sys.stderr)
warnings.warn("from a file that is named after the process")
display(HTML(f'<div id="{uuid.uuid4()}">{datetime.datetime.now(datetime.UTC).isoformat()}</div>'))
list({"v", "w", "x", "y", "z"})
"""
PLOTLY = """
import plotly.graph_objects as go
HTML(go.Figure(go.Bar(x=[1, 2], y=[3, 4])).to_html(include_plotlyjs=False, full_html=False))
"""
CHART = """
from homei.reporting import charts
charts.bars(["a", "b"], [0.1, 0.2], "Two bars")
"""


def save(path, *codes):
    cells = [nbformat.v4.new_markdown_cell("# A *small* report\n\nFor its reader.")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells + [nbformat.v4.new_code_cell(code) for code in codes]), path)
    return path


def execute(notebook, report, **environment):
    """As a stage runs it: in a process of its own."""
    program = f"from pathlib import Path; from homei.pipeline import notebooks; \
notebooks.execute({str(notebook)!r}, Path({str(report)!r}), 'Somewhere · as of 2025-12-31')"
    path = os.pathsep.join([str(PROJECT / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """One notebook executed twice, in two time zones, under two hash seeds, in two homes."""
    pytest.importorskip("plotly")
    reports = []
    for zone, seed in (("Pacific/Chatham", "1"), ("America/Lima", "2")):
        folder = tmp_path_factory.mktemp("project")
        notebook = save(folder / "small.ipynb", CHANCE, PLOTLY, CHART)
        (folder / "home").mkdir()
        done = execute(notebook, folder / "out.html", TZ=zone, PYTHONHASHSEED=seed, HOME=str(folder / "home"))
        assert done.returncode == 0, done.stderr
        reports.append(folder / "out.html")
    return reports


def test_two_runs_of_a_notebook_give_the_same_bytes(rendered):
    first, second = rendered
    assert first.read_bytes() == second.read_bytes()


def test_a_report_shows_words_and_outputs_but_no_code_and_no_warnings(rendered):
    text = rendered[0].read_text(encoding="utf-8")
    assert "For its reader." in text
    assert "Two bars" in text
    assert "import datetime" not in text
    assert "UserWarning" not in text


def test_a_report_is_titled_after_its_notebook_and_source(rendered):
    text = rendered[0].read_text(encoding="utf-8")
    assert "Somewhere · as of 2025-12-31" in text
    assert text.count("A *small* report") == 2  # the window's title and the page's


def test_a_report_asks_nothing_of_the_outside_world(rendered):
    text = rendered[0].read_text(encoding="utf-8")
    assert re.findall(r"(?:src|href)\s*=\s*[\"'](?:https?:)?//[^\"']+", text) == []
    assert "require.js" not in text
    assert "MathJax" not in text


def test_running_a_notebook_leaves_no_file_but_the_report(rendered):
    folder = rendered[0].parent
    assert sorted(path.name for path in folder.iterdir()) == ["home", "out.html", "small.ipynb"]
    kept = {path.relative_to(folder / "home").parts[0] for path in (folder / "home").rglob("*") if path.is_file()}
    assert kept <= {".cache", ".config"}  # where matplotlib keeps its list of fonts


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("{}['Bedok']", "KeyError: 'Bedok'\n"),
        ("from pathlib import Path; from homei.storage import lake; lake.read_csv(Path('x.csv'))", "x.csv "),
    ],
)
def test_a_failing_notebook_says_what_to_do_and_where_to_look_and_leaves_no_report(tmp_path, code, message):
    notebook = save(tmp_path / "broken.ipynb", "1 + 1", code)
    done = execute(notebook, tmp_path / "out.html")
    assert done.returncode != 0
    error = done.stderr.rpartition("NotebookError: ")[2]
    assert error.startswith(message)
    assert "run `dvc repro` again" in error and "cell " not in error
    assert not (tmp_path / "out.html").exists()
    assert "Traceback" in (tmp_path / "out.failed.ipynb").read_text()


def test_a_process_that_dies_is_an_error_too(tmp_path):
    notebook = save(tmp_path / "dying.ipynb", "import os; os._exit(1)")
    with pytest.raises(notebooks.NotebookError, match=r"dying.ipynb: its process died"):
        notebooks.execute(notebook, tmp_path / "out.html", "")


@pytest.mark.slow
@pytest.mark.parametrize("coordinates", [True, False], ids=["on a map", "nowhere"])
def test_the_exploration_notebook_shows_sales_and_listings(tmp_path, monkeypatch, coordinates):
    monkeypatch.chdir(tmp_path)
    sales = _sales(coordinates).assign(is_market=True, source_feed="register")
    lake.write(sales, lake.RESOLVED_SALES)
    offers = sales.head(40).rename(columns={"sale_date": "listed_on"}).assign(duplicate_of=None)
    lake.write(offers.assign(listed_on=offers["listed_on"] - pd.Timedelta(30, "D")), lake.RESOLVED_LISTINGS)
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(PROJECT / name, name)
    notebooks.execute(PROJECT / "notebooks/10_explore.ipynb", Path("reports/explore.html"), "Somewhere")
    text = Path("reports/explore.html").read_text(encoding="utf-8")
    assert "<h1>Sales and prices</h1>" in text
    assert "District 3" in text
    assert "Listings a month, by feed" in text
    assert text.count('aria-label="Asking price above sale price"') == 2
    assert text.count("<svg") >= 8


def _sales(coordinates):
    random, n = np.random.default_rng(3), 500
    place = random.uniform(-0.1, 0.1, (n, 2)) if coordinates else np.full((n, 2), np.nan)
    return pd.DataFrame({
        "transaction_id": [f"t{row}" for row in range(n)], "property_id": [f"p{row}" for row in range(n)],
        "sale_date": pd.to_datetime("2024-01-15") + pd.to_timedelta(random.integers(0, 700, n), "D"),
        "price": random.uniform(1e5, 9e5, n), "square_meters": random.uniform(40, 200, n),
        "property_type": random.choice(["flat", "house"], n), "location": [f"District {row % 5}" for row in range(n)],
        "bedrooms": 2.0, "bathrooms": np.nan, "year_built": 1990.0, "floor": np.nan,
        "latitude": 45 + place[:, 0], "longitude": -30 + place[:, 1], "source_file": "sales.csv", "source_line": 1,
    })  # fmt: skip


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_a_notebook_is_thin_and_keeps_no_output(path):
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    code = "\n".join(cell.source for cell in cells)
    assert not any(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(code)))
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 45
