"""The data dictionary, held against the tables."""

import pytest

from homei.curated.dictionary import DictionaryError, check, dictionary_page, read_dictionary

DICTIONARY = {
    "homes": {
        "row": "One a home.",
        "columns": {"id": {"type": "string", "meaning": "Its id"}, "rate_*": {"type": "double", "meaning": "A rate"}},
    }
}


def test_tables_that_agree_pass():
    check(DICTIONARY, {"homes": [("id", "string"), ("rate_a", "double"), ("rate_b", "double")]})
    check(DICTIONARY, {"homes": [("id", "string")]})


def test_everything_that_does_not_agree_is_named_at_once():
    with pytest.raises(DictionaryError) as found:
        check(DICTIONARY, {"homes": [("rate_a", "int"), ("colour", "string")], "cars": []})
    assert str(found.value).splitlines() == [
        "cars: the dictionary has no such table",
        "homes.rate_a: is int, and double in the dictionary",
        "homes.colour: the dictionary has no such column",
        "homes.id: there is no such column",
    ]


def test_a_table_that_is_gone_is_named():
    with pytest.raises(DictionaryError, match="homes: there is no such table"):
        check(DICTIONARY, {})


def test_the_page_shows_every_table_and_column(source):
    shown = dictionary_page(read_dictionary(), source)
    for name, entry in read_dictionary().items():
        assert f"<h2>{name}</h2>" in shown
        assert all(column in shown for column in entry["columns"])
        assert all(said["meaning"] for said in entry["columns"].values())


def test_a_meaning_that_a_comma_has_cut_is_noticed():
    cut = {"homes": {"row": "One a home.", "columns": {"id": {"type": "string", "meaning": "Its id", "of old": None}}}}
    with pytest.raises(DictionaryError, match=r"homes\.id: its entry says of old"):
        check(cut, {"homes": [("id", "string")]})
