"""The hash chain: every entry that is changed, removed, inserted or moved is found."""

import datetime
import hashlib
import json
import re

from hypothesis import given
from hypothesis import strategies as st

from homei.serving.audit.chain import Head, entry_hash, link, new_entry, verify

BEGAN = datetime.datetime(2026, 1, 31, 23, 59, 59, 5, datetime.UTC)
FIELDS = (
    "number",
    "happened_at",
    "actor",
    "action",
    "outcome",
    "subject",
    "request_id",
    "details",
    "previous_hash",
    "hash",
)
TEXT = st.text("abc ö", max_size=3)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
VALUES = {
    "number": st.integers(0, 40),
    "happened_at": st.integers(1, 10**15).map(lambda after: BEGAN + datetime.timedelta(microseconds=after)),
    "details": st.dictionaries(st.sampled_from(["status", "ms", "reason"]), st.integers(0, 9) | TEXT),
    "subject": st.none() | TEXT,
    "request_id": st.none() | TEXT,
    "previous_hash": HEX,
    "hash": HEX,
}


def chain(length):
    lines = [
        new_entry("partner", f"GET /{n}", "ok", BEGAN + datetime.timedelta(seconds=n), details={"status": 200, "ms": n})
        for n in range(length)
    ]
    return following(lines)


def following(lines):
    """The entries as the rows of a chain."""
    return link(lines, Head())[0]


def entry_number(fault):
    return int(re.search(r"\d+", fault)[0])


def test_an_intact_chain_has_no_fault():
    rows = chain(5)
    verdict = verify(rows, Head(3, rows[2]["hash"]), Head(5, rows[4]["hash"]))
    assert verdict.fault is None
    assert verdict.head == Head(5, rows[4]["hash"])
    assert verify([]).head == Head()


@given(st.integers(1, 12), st.data())
def test_a_changed_field_is_found_at_its_entry(length, data):
    rows = chain(length)
    place, field = data.draw(st.integers(0, length - 1)), data.draw(st.sampled_from(FIELDS))
    value = data.draw(VALUES.get(field, TEXT).filter(lambda value: value != rows[place][field]))
    rows[place] = rows[place] | {field: value}
    verdict = verify(rows)
    assert verdict.fault
    assert verdict.head.number == place
    if field != "number":
        assert entry_number(verdict.fault) == place + 1


@given(st.integers(2, 12), st.data())
def test_a_changed_entry_with_a_new_hash_is_found(length, data):
    rows = chain(length)
    place = data.draw(st.integers(0, length - 2))
    rows[place] = rows[place] | {"actor": "nobody"}
    rows[place]["hash"] = entry_hash(rows[place])
    assert entry_number(verify(rows).fault) == place + 2


@given(st.integers(2, 12), st.data())
def test_removed_entries_are_found_even_at_the_end(length, data):
    rows = chain(length)
    known = Head(length, rows[-1]["hash"])
    first = data.draw(st.integers(0, length - 1))
    last = data.draw(st.integers(first, length - 1))
    verdict = verify(rows[:first] + rows[last + 1 :], known)
    assert entry_number(verdict.fault) == first + 1
    assert "missing" in verdict.fault


@given(st.integers(2, 12), st.data())
def test_swapped_entries_are_found(length, data):
    rows = chain(length)
    one = data.draw(st.integers(0, length - 2))
    other = data.draw(st.integers(one + 1, length - 1))
    rows[one], rows[other] = rows[other], rows[one]
    assert verify(rows).head.number == one


@given(st.integers(1, 12), st.data())
def test_a_rewritten_trail_is_found_by_its_head_alone(length, data):
    rows = chain(length)
    place = data.draw(st.integers(0, length - 1))
    forged = following([*rows[:place], rows[place] | {"outcome": "refused"}, *rows[place + 1 :]])
    assert verify(forged).fault is None
    assert entry_number(verify(forged, Head(length, rows[-1]["hash"])).fault) == length


def test_a_hash_does_not_depend_on_the_time_zone():
    (row,) = chain(1)
    elsewhere = row["happened_at"].astimezone(datetime.timezone(datetime.timedelta(hours=8)))
    assert entry_hash(row | {"happened_at": elsewhere}) == row["hash"]


@given(st.fixed_dictionaries({name: VALUES.get(name, TEXT) for name in FIELDS}))
def test_a_hash_covers_the_entry_in_canonical_json(row):
    covered = {name: row[name] for name in FIELDS if name != "hash"} | {"happened_at": row["happened_at"].isoformat()}
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"))
    assert entry_hash(row) == hashlib.sha256(text.encode()).hexdigest()
