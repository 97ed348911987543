"""Versions of records: the last one wins, earlier ones are returned, and none is duplicated."""

import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from homei.ingestion.record_versions import KEY, change_times, merge_versions


def rows(*versions, columns=(KEY, "price", "at")):
    return pa.table(
        {name: pa.array([row[position] for row in versions], pa.string()) for position, name in enumerate(columns)}
    )


def tuples(rows):
    return [tuple(row[name] for name in (KEY, "price", "at")) for row in rows.to_pylist()]


def test_the_last_version_of_a_key_replaces_the_earlier_one():
    landed = rows(("1", "100", "2024-01-01"), ("2", "200", "2024-01-01"))
    current, replaced, counts = merge_versions(
        landed, rows(("2", "250", "2024-02-01"), ("3", "300", "2024-02-02")), "at"
    )
    assert tuples(current) == [("1", "100", "2024-01-01"), ("2", "250", "2024-02-01"), ("3", "300", "2024-02-02")]
    assert tuples(replaced) == [("2", "200", "2024-01-01")]
    assert counts == (3, 1, 1, 0)


def test_a_version_that_is_read_twice_counts_once():
    landed = rows(("1", "100", "2024-01-01"))
    current, replaced, counts = merge_versions(landed, landed, "at")
    assert tuples(current) == tuples(landed)
    assert replaced.num_rows == 0
    assert counts == (1, 0, 0, 0)


def test_an_earlier_version_that_is_read_late_does_not_win():
    landed = rows(("1", "100", "2024-03-01"))
    current, replaced, counts = merge_versions(landed, rows(("1", "90", "2024-01-01")), "at")
    assert tuples(current) == tuples(landed)
    assert tuples(replaced) == [("1", "90", "2024-01-01")]
    assert counts == (1, 0, 0, 0)


def test_of_versions_with_the_same_time_the_one_read_last_wins():
    current, _, _ = merge_versions(rows(("1", "100", "2024-03-01")), rows(("1", "90", "2024-03-01")), "at")
    assert tuples(current) == [("1", "90", "2024-03-01")]


def test_without_a_time_of_change_the_version_read_last_wins():
    current, replaced, _ = merge_versions(rows(("1", "100", "x")), rows(("1", "90", "x")), None)
    assert tuples(current) == [("1", "90", "x")]
    assert tuples(replaced) == [("1", "100", "x")]


def test_a_new_column_is_null_in_earlier_records():
    read = rows(("2", "250", "2024-02-01", "gas"), columns=(KEY, "price", "at", "heating"))
    current, _, _ = merge_versions(rows(("1", "100", "2024-01-01")), read, "at")
    assert current["heating"].to_pylist() == [None, "gas"]


def test_numeric_keys_are_in_numeric_order():
    current, _, _ = merge_versions(None, rows(*((key, "1", "2024-01-01") for key in ("10", "9", "100", "1"))), "at")
    assert current[KEY].to_pylist() == ["1", "9", "10", "100"]


def test_times_are_read_from_iso_8601_and_from_numbers_since_1970():
    numbers = ["1714557600", "1714557600000", "1714557600000000"]
    cells = pa.chunked_array([["2024-05-01T12:00:00+02:00", *numbers, "20240501", "soon", None]])
    times = change_times(cells)
    assert times.iloc[:4].dt.strftime("%Y-%m-%d %H:%M").tolist() == ["2024-05-01 10:00"] * 4
    assert times.iloc[4] == pd.Timestamp("2024-05-01", tz="UTC")
    assert times.iloc[5:].isna().all()


versions = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz"), st.integers(1, 9)), max_size=20)


@given(versions, st.integers(0, 20))
def test_merging_in_two_steps_equals_merging_at_once(history, cut):
    history = list({(key, day): (key, price, f"2024-01-0{day}") for key, price, day in history}.values())
    at_once, _, _ = merge_versions(None, rows(*history), "at")
    first, _, _ = merge_versions(None, rows(*history[:cut]), "at")
    second, _, _ = merge_versions(first, rows(*history[cut:]), "at")
    assert second.equals(at_once)
