import re

import pandas as pd
import pytest

from homei.reporting import html_page


def test_a_page_is_complete_and_contains_no_external_address():
    text = html_page.page("Accuracy", "<p>body</p>", "Demo city · as of 2025-12-31")
    assert text.startswith("<!DOCTYPE html>")
    assert "<p>body</p>" in text
    assert "Demo city · as of 2025-12-31" in text
    assert "<script" not in text
    addresses = set(re.findall(r"https?://[^\s'\"<)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # an XML namespace, not fetched


def test_a_report_links_back_to_the_front_page():
    assert 'href="../site/index.html"' in html_page.page("Drift", "")


def test_the_front_page_has_no_link_to_itself():
    assert "site/index.html" not in html_page.page("Front", "", is_front_page=True)


def test_titles_and_captions_are_escaped():
    text = html_page.page(
        "a < b", html_page.figure("<svg></svg>", "x & y") + html_page.cards(html_page.Card("<i>", "1"))
    )
    assert "<h1>a &lt; b</h1>" in text
    assert "x &amp; y" in text
    assert "&lt;i&gt;" in text


@pytest.mark.parametrize(("ok", "word"), [(True, "Holds"), (False, "Fails"), ("watch", "Watch")])
def test_a_verdict_has_a_sign_and_a_word(ok, word):
    chip = html_page.chip(ok)
    assert word in chip
    assert re.search("[✓✕!]", chip)


def test_without_a_verdict_the_chip_is_empty():
    assert html_page.chip(None) == ""


def test_a_table_formats_numbers_and_escapes_texts():
    frame = pd.DataFrame({"location": ["A & B"], "n": [12000], "mdape": [0.0314], "ok": [True]})
    text = html_page.table(frame, {"mdape": "percent"}, {"mdape": "Median error"})
    assert "A &amp; B" in text
    assert '<td class="number">12,000</td>' in text
    assert "3.1\u202f%" in text
    assert "Median error</th>" in text
    assert "Holds" in text


def test_an_empty_table_has_a_header():
    assert "<th>Location</th>" in html_page.table(pd.DataFrame({"location": pd.Series(dtype=str)}))


def test_a_date_in_a_table_does_not_wrap_at_its_hyphens():
    frame = pd.DataFrame(
        {"day": ["2025-06-30", "2025-06", "30/06/2025"], "note": ["end-to-end", "12-18 months", "A-1"]}
    )
    assert html_page.table(frame).count('<td class="date">') == 3
