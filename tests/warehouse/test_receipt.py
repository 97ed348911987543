"""A receipt's hashes are of values: another value makes another hash, another way of storing it none."""

import pyarrow as pa

from homei.warehouse.receipt import content_hash, differences

ROWS = {"key": ["a", "b", None], "size": [1.0, None, 0.0], "count": [1, 2, None], "is_open": [True, None, False]}
TYPES = pa.schema([("key", pa.string()), ("size", pa.float64()), ("count", pa.int64()), ("is_open", pa.bool_())])


def hash_of(rows, chunk=10):
    return content_hash(pa.table(rows, schema=TYPES).to_batches(chunk))


def test_a_hash_does_not_depend_on_how_arrow_keeps_the_values():
    table = pa.table(ROWS, schema=TYPES)
    sliced = pa.concat_tables([table, table]).combine_chunks().slice(3, 3)
    assert content_hash(sliced.to_batches(10)) == hash_of(ROWS)
    assert hash_of(ROWS | {"size": [1.0, None, -0.0]}) == hash_of(ROWS)
    assert content_hash([]) == hash_of({name: [] for name in ROWS})


def test_each_value_makes_its_hash():
    others = [
        {"key": ["ab", "", None]}, {"key": ["a", "b", ""]}, {"size": [1.0, 0.0, 0.0]}, {"count": [1, 2, 0]},
        {"is_open": [True, False, False]}, {"size": [1.0000000000000002, None, 0.0]},
    ]  # fmt: skip
    assert len({hash_of(ROWS), *(hash_of(ROWS | other) for other in others)}) == 1 + len(others)


def test_differences_are_told_one_by_one():
    past = {"rows": 2, "sha256": "y"}
    said = {"model_version": "m1", "tables": {"homes": {"rows": 1000, "sha256": "x"}, "past": past}}
    found = {"model_version": "m2", "tables": {"homes": {"rows": 999, "sha256": "z"}, "past": {**past, "sha256": "z"}}}
    assert differences(said, said) == []
    assert differences(said, found) == [
        "model_version is m2, not m1",
        "homes has 999 rows, not 1,000",
        "past has other contents: its SHA-256 is not the receipt's",
    ]
