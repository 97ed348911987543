import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest

from homei.reporting import charts

RANDOM = np.random.default_rng(5)
MANY = 90_000
PRICES = np.exp(RANDOM.normal(13, 0.4, MANY))
MONTHS = pd.DataFrame({"month": [f"2025-{month:02d}" for month in range(1, 13)], "error": np.linspace(0.02, 0.05, 12)})
PLACES = RANDOM.normal([103.8, 1.35], [0.08, 0.03], (MANY, 2)).T
DRAWN = {
    "lines": lambda: charts.lines(MONTHS, "month", ["error"], title="Error", y_format="percent"),
    "band": lambda: charts.lines(MONTHS, "month", ["error", "error"], ["a", "b"], band=("error", "error")),
    "bars": lambda: charts.bars(["a & b", "c"], [0.031, -0.08], "Error", highlight="c"),
    "whiskers": lambda: charts.bars([1, 2], [1.0, 1.1], intervals=[(0.9, 1.1), (1, 1.2)], reference=1, formats="ratio"),
    "histogram": lambda: charts.histogram(PRICES, "Prices", "SGD"),
    "density": lambda: charts.density(PRICES, PRICES * np.exp(RANDOM.normal(0, 0.1, MANY)), formats="SGD"),
    "city_map": lambda: charts.city_map(*PLACES, RANDOM.normal(0, 0.05, MANY), "Errors"),
    "dots": lambda: charts.city_map(*PLACES[:, :300], PRICES[:300], diverging=False, size=PRICES[:300], formats="SGD"),
    "strips": lambda: charts.strips(["a & b", "c"], list(MONTHS["month"]), np.eye(2, 12), ["9 %", ""], "Months"),
}
MISSING = np.full(3, np.nan)


@pytest.fixture(params=DRAWN, name="draw")
def _draw(request):
    return DRAWN[request.param]


def test_a_chart_is_well_formed_svg_of_at_most_200_kilobytes(draw):
    picture = draw()
    assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert len(picture.encode()) <= 200_000


def test_a_chart_contains_no_external_address_and_no_date(draw):
    picture = draw().replace("http://www.w3.org/2000/svg", "")
    assert "http" not in picture
    assert "<dc:date>" not in picture
    assert "Matplotlib" not in picture


def test_a_chart_uses_the_colours_of_its_page(draw):
    assert "var(--chart-text" in draw()


def test_a_notebook_renders_a_chart_as_a_figure(draw):
    assert draw()._repr_html_().startswith('<figure class="chart"')


@pytest.mark.parametrize(
    "draw_empty",
    [
        lambda: charts.city_map(MISSING, MISSING, MISSING),
        lambda: charts.density(MISSING, MISSING),
        lambda: charts.histogram(MISSING),
        lambda: charts.histogram([5.0, 5.0]),
        lambda: charts.bars([], []),
        lambda: charts.lines(MONTHS.head(0), "month", ["error"]),
        lambda: charts.city_map([1.0], [1.0], [0.0]),
    ],
)
def test_without_data_a_chart_is_empty(draw_empty):
    assert draw_empty().startswith("<svg")


def test_equal_data_give_equal_bytes_in_another_process():
    program = (
        "import hashlib, numpy as np; from homei.reporting import charts;"
        "r = np.random.default_rng(1); x = r.normal(size=5000);"
        "p = charts.density(x, x + r.normal(size=5000), 'a') + charts.city_map(x, x, x) + charts.bars(['a'], [1]);"
        "print(hashlib.sha256(p.encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed, "TZ": zone},
            capture_output=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Pacific/Chatham"))
    }
    assert len(digests) == 1


def test_charts_on_one_page_share_no_ids():
    first, second = DRAWN["bars"](), DRAWN["histogram"]()
    ids = [
        {element.get("id") for element in ElementTree.fromstring(picture).iter()} - {None}
        for picture in (first, second)
    ]
    assert ids[0] and ids[1]
    assert ids[0].isdisjoint(ids[1])
