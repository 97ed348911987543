"""Versions of records: the last one wins, the earlier ones are kept, and none is doubled."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from homei.sources.merging import KEY, merged, moments


def rows(*versions, columns=(KEY, "price", "at")):
    return pa.table(
        {name: pa.array([row[place] for row in versions], pa.string()) for place, name in enumerate(columns)}
    )


def told(found):
    return [tuple(row[name] for name in (KEY, "price", "at")) for row in found.to_pylist()]


def test_the_last_version_of_a_key_wins_and_the_earlier_one_is_replaced():
    held = rows(("1", "100", "2024-01-01"), ("2", "200", "2024-01-01"))
    current, replaced, counts = merged(held, rows(("2", "250", "2024-02-01"), ("3", "300", "2024-02-02")), "at")
    assert told(current) == [("1", "100", "2024-01-01"), ("2", "250", "2024-02-01"), ("3", "300", "2024-02-02")]
    assert told(replaced) == [("2", "200", "2024-01-01")]
    assert counts == (3, 1, 1)


def test_a_version_that_is_read_twice_is_one():
    held = rows(("1", "100", "2024-01-01"))
    current, replaced, counts = merged(held, held, "at")
    assert told(current) == told(held)
    assert replaced.num_rows == 0
    assert counts == (1, 0, 0)


def test_an_earlier_version_that_comes_late_does_not_win():
    held = rows(("1", "100", "2024-03-01"))
    current, replaced, counts = merged(held, rows(("1", "90", "2024-01-01")), "at")
    assert told(current) == told(held)
    assert told(replaced) == [("1", "90", "2024-01-01")]
    assert counts == (1, 0, 0)


def test_of_versions_that_changed_together_the_one_that_was_read_last_wins():
    current, _, _ = merged(rows(("1", "100", "2024-03-01")), rows(("1", "90", "2024-03-01")), "at")
    assert told(current) == [("1", "90", "2024-03-01")]


def test_without_a_time_of_change_what_was_read_last_wins():
    current, replaced, _ = merged(rows(("1", "100", "x")), rows(("1", "90", "x")), None)
    assert told(current) == [("1", "90", "x")]
    assert told(replaced) == [("1", "100", "x")]


def test_a_new_column_is_kept_and_empty_in_what_was_there():
    read = rows(("2", "250", "2024-02-01", "gas"), columns=(KEY, "price", "at", "heating"))
    current, _, _ = merged(rows(("1", "100", "2024-01-01")), read, "at")
    assert current["heating"].to_pylist() == [None, "gas"]


def test_keys_that_are_numbers_are_in_the_order_of_numbers():
    current, _, _ = merged(None, rows(*((key, "1", "2024-01-01") for key in ("10", "9", "100", "1"))), "at")
    assert current[KEY].to_pylist() == ["1", "9", "10", "100"]


def test_moments_are_read_from_iso_and_from_seconds_and_milliseconds():
    cells = pa.chunked_array([["2024-05-01T12:00:00+02:00", "1714557600", "1714557600000", "soon", None]])
    found = moments(cells)
    assert found.iloc[:3].dt.strftime("%Y-%m-%d %H:%M").tolist() == ["2024-05-01 10:00"] * 3
    assert found.iloc[3:].isna().all()


versions = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"), st.integers(1, 9)), max_size=20)


@given(versions, st.integers(0, 20))
def test_merging_in_two_steps_is_merging_at_once(history, cut):
    """Each version once, and of each key no two versions changed together, as a source has it."""
    history = list({(key, day): (key, price, f"2024-01-0{day}") for key, price, day in history}.values())
    at_once, _, _ = merged(None, rows(*history), "at")
    first, _, _ = merged(None, rows(*history[:cut]), "at")
    second, _, _ = merged(first, rows(*history[cut:]), "at")
    assert second.equals(at_once)
