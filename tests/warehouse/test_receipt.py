"""The hashes of a receipt depend on the values and not on how Arrow stores them."""

import pyarrow as pa

from homei.warehouse.receipt import content_summary, receipt_differences

ROWS = {"key": ["a", "b", None], "size": [1.0, None, 0.0], "count": [1, 2, None], "is_open": [True, None, False]}
TYPES = pa.schema([("key", pa.string()), ("size", pa.float64()), ("count", pa.int64()), ("is_open", pa.bool_())])


def hash_of(rows):
    return content_summary(pa.table(rows, schema=TYPES).to_batches())["sha256"]


def test_a_hash_does_not_depend_on_arrow_s_memory_layout():
    table = pa.table(ROWS, schema=TYPES)
    sliced = pa.concat_tables([table, table]).combine_chunks().slice(3, 3)
    assert content_summary(sliced.to_batches()) == {"rows": 3, "sha256": hash_of(ROWS)}
    assert hash_of(ROWS | {"size": [1.0, None, -0.0]}) == hash_of(ROWS)
    assert content_summary([])["sha256"] == hash_of({name: [] for name in ROWS})


def test_every_different_value_gives_another_hash():
    others = [
        {"key": ["ab", "", None]}, {"key": ["a", "b", ""]}, {"size": [1.0, 0.0, 0.0]}, {"count": [1, 2, 0]},
        {"is_open": [True, False, False]}, {"size": [1.0000000000000002, None, 0.0]},
    ]  # fmt: skip
    assert len({hash_of(ROWS), *(hash_of(ROWS | other) for other in others)}) == 1 + len(others)


def test_each_difference_from_the_receipt_is_one_sentence():
    history = {"rows": 2, "sha256": "y"}
    expected = {"model_version": "m1", "tables": {"properties": {"rows": 1000, "sha256": "x"}, "history": history}}
    tables = {"properties": {"rows": 999, "sha256": "z"}, "history": {"rows": 2, "sha256": "z"}}
    assert receipt_differences(expected, expected) == []
    assert receipt_differences(expected, {"model_version": "m2", "tables": tables}) == [
        "model_version is m2, not m1",
        "properties has 999 rows, not 1,000",
        "history has other contents: its SHA-256 is not the receipt's",
    ]
