"""The digests of a receipt depend on the values, and neither on their order nor on how Arrow stores them."""

import pyarrow as pa

from homei.storage.row_digest import content_sum
from homei.warehouse.receipt import content_summary, receipt_differences

ROWS = {"key": ["a", "b", None], "size": [1.0, None, 0.0], "count": [1, 2, None], "is_open": [True, None, False]}
TYPES = pa.schema([("key", pa.string()), ("size", pa.float64()), ("count", pa.int64()), ("is_open", pa.bool_())])


def summary(*tables):
    return content_summary(content_sum(batch for table in tables for batch in table.to_batches()))


def digest_of(rows):
    return summary(pa.table(rows, schema=TYPES))["digest"]


def test_a_digest_depends_neither_on_the_order_of_rows_nor_on_arrow_s_memory_layout():
    table = pa.table(ROWS, schema=TYPES)
    sliced = pa.concat_tables([table, table]).combine_chunks().slice(3, 3)
    assert summary(sliced) == summary(table.slice(2), table.slice(0, 2)) == {"rows": 3, "digest": digest_of(ROWS)}
    assert digest_of(ROWS | {"size": [1.0, None, -0.0]}) == digest_of(ROWS)
    assert summary() == summary(table.slice(0, 0))


def test_every_different_value_gives_another_digest():
    others = [
        {"key": ["ab", "", None]}, {"key": ["a", "b", ""]}, {"size": [1.0, 0.0, 0.0]}, {"count": [1, 2, 0]},
        {"is_open": [True, False, False]}, {"size": [1.0000000000000002, None, 0.0]},
        {"key": ["b", "a", None]}, {"size": [1.0, 0.0, None]},
    ]  # fmt: skip
    assert len({digest_of(ROWS), *(digest_of(ROWS | other) for other in others)}) == 1 + len(others)


def test_each_difference_from_the_receipt_is_one_sentence():
    history = {"rows": 2, "digest": "y"}
    expected = {"model_version": "m1", "tables": {"properties": {"rows": 1000, "digest": "x"}, "history": history}}
    tables = {"properties": {"rows": 999, "digest": "z"}, "history": {"rows": 2, "digest": "z"}}
    assert receipt_differences(expected, expected) == []
    assert receipt_differences(expected, {"model_version": "m2", "tables": tables}) == [
        "model_version is m2, not m1",
        "properties has 999 rows, not 1,000",
        "history has other contents: its digest is not the receipt's",
    ]
