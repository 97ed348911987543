"""The data dictionary, held against the tables."""

import pytest

from homei.curated.dictionary import DictionaryError, check_tables

DICTIONARY = {
    "homes": {
        "row": "One a home.",
        "columns": {"id": {"type": "string", "meaning": "Its id"}, "rate_*": {"type": "double", "meaning": "A rate"}},
    }
}


def test_tables_that_agree_pass():
    check_tables(DICTIONARY, {"homes": [("id", "string"), ("rate_a", "double"), ("rate_b", "double")]})
    check_tables(DICTIONARY, {"homes": [("id", "string")]})


def test_everything_that_does_not_agree_is_named_at_once():
    with pytest.raises(DictionaryError) as found:
        check_tables(DICTIONARY, {"homes": [("rate_a", "int"), ("colour", "string")], "cars": []})
    assert str(found.value).splitlines() == [
        "cars: the dictionary has no such table",
        "homes.rate_a: is int, and double in the dictionary",
        "homes.colour: the dictionary has no such column",
        "homes.id: there is no such column",
    ]


def test_a_table_that_is_gone_is_named():
    with pytest.raises(DictionaryError, match="homes: there is no such table"):
        check_tables(DICTIONARY, {})


def test_a_meaning_that_a_comma_has_cut_is_noticed():
    cut = {"homes": {"row": "One a home.", "columns": {"id": {"type": "string", "meaning": "Its id", "of old": None}}}}
    with pytest.raises(DictionaryError, match=r"homes\.id: unexpected keys of old"):
        check_tables(cut, {"homes": [("id", "string")]})
