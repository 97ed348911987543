import re

import pandas as pd
import pytest

from homei.report import page as pages


def test_a_page_is_complete_and_holds_no_address_of_the_outside_world():
    text = pages.page("Accuracy", "<p>body</p>", "Demo city · as of 2025-12-31")
    assert text.startswith("<!DOCTYPE html>")
    assert "<p>body</p>" in text
    assert "Demo city · as of 2025-12-31" in text
    assert "<script" not in text
    addresses = set(re.findall(r"https?://[^\s'\"<)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a namespace, which nobody fetches


@pytest.mark.parametrize(("depth", "link"), [(1, "../site/index.html"), (2, "../../site/index.html")])
def test_a_report_links_back_to_the_front_page(depth, link):
    assert f'href="{link}"' in pages.page("Drift", "", depth=depth)


def test_the_front_page_has_no_link_to_itself():
    assert "site/index.html" not in pages.page("Front", "", depth=0)


def test_titles_and_captions_are_text():
    text = pages.page("a < b", pages.figure("<svg></svg>", "x & y") + pages.cards([{"label": "<i>", "value": "1"}]))
    assert "<h1>a &lt; b</h1>" in text
    assert "x &amp; y" in text
    assert "&lt;i&gt;" in text


@pytest.mark.parametrize(("ok", "word"), [(True, "Holds"), (False, "Fails"), ("watch", "Watch")])
def test_a_verdict_is_a_sign_and_a_word(ok, word):
    chip = pages.chip(ok)
    assert word in chip
    assert re.search("[✓✕!]", chip)


def test_no_verdict_shows_nothing():
    assert pages.chip(None) == ""


def test_a_table_formats_numbers_and_escapes_texts():
    frame = pd.DataFrame({"location": ["A & B"], "n": [12000], "mdape": [0.0314], "ok": [True]})
    text = pages.table(frame, {"mdape": "percent"}, {"mdape": "Typical error"})
    assert "A &amp; B" in text
    assert '<td class="number">12,000</td>' in text
    assert "3.1\u202f%" in text
    assert "Typical error</th>" in text
    assert "Holds" in text


def test_an_empty_table_still_has_its_head():
    assert "<th>Location</th>" in pages.table(pd.DataFrame({"location": pd.Series(dtype=str)}))
