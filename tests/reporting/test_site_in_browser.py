"""The front page as its readers open it: from disk, in a real browser, on a screen and on a phone."""

import shutil
from pathlib import Path

import pytest

from homei.config import params
from homei.reporting import site

PROJECT = Path(__file__).parents[2]
PHONE, SCREEN = {"width": 360, "height": 780}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser(required):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    required(chromium, "chromium", "install it to see the front page in a real browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        with playwright.chromium.launch(executable_path=chromium, args=options) as running:
            yield running


@pytest.fixture
def index(project):
    p = params.check(params.read(PROJECT / "params.yaml"))
    site.run(p.city, p.evaluate)
    return project / site.INDEX


@pytest.fixture
def window(browser, index, request):
    """The front page in a window of the size asked for, with all that it requested and complained about."""
    window = browser.new_page(viewport=getattr(request, "param", SCREEN))
    window.requested, window.complaints = [], []
    window.on("request", lambda requested: window.requested.append(requested.url))
    window.on("console", lambda message: window.complaints.append(message.text))
    window.on("pageerror", lambda error: window.complaints.append(str(error)))
    window.goto(index.as_uri())
    yield window
    window.close()


def test_the_page_requests_no_external_address(window):
    assert window.requested
    assert [url for url in window.requested if not url.startswith(("file://", "data:"))] == []


def test_the_browser_reports_no_error(window):
    assert window.complaints == []


def test_every_link_leads_to_a_report(window, project):
    links = window.eval_on_selector_all("a[href]", "links => links.map(link => link.href)")
    assert len(links) == len(site.LINKS)
    reports = {path.as_uri() for path in (project / "reports").rglob("*.html")}
    assert set(links) <= reports


@pytest.mark.parametrize("window", [PHONE, SCREEN], indirect=True, ids=["phone", "screen"])
def test_the_page_does_not_scroll_sideways(window):
    assert window.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_verdicts_are_visible_without_scrolling(window):
    lowest = window.eval_on_selector_all(
        ".card .chip", "chips => Math.max(...chips.map(chip => chip.getBoundingClientRect().bottom))"
    )
    assert window.locator(".card .chip").count() == 6
    assert lowest <= SCREEN["height"]


def test_charts_follow_the_dark_theme(window):
    colour = "getComputedStyle(document.querySelector('svg.chart text')).fill"
    on_light = window.evaluate(colour)
    window.emulate_media(color_scheme="dark")
    assert window.evaluate(colour) != on_light


def test_no_two_elements_share_an_id(window):
    ids = window.eval_on_selector_all("[id]", "elements => elements.map(element => element.id)")
    assert len(ids) == len(set(ids))
