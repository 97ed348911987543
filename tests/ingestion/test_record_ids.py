"""Ids out of the content of records."""

from collections import Counter

import pyarrow as pa

from homei.config.columns import Column
from homei.ingestion.record_ids import content_ids

DECLARED = {"price": Column(column="Price"), "place": Column(column="Place")}


def test_a_row_without_any_cell_has_an_id_too():
    rows = pa.table({"price": ["1", None, "2"], "place": ["a", None, None]})
    ids = content_ids(rows, DECLARED, Counter()).to_pylist()
    assert len({*ids}) == 3
    others = rows.take([0, 2])
    assert content_ids(others, DECLARED, Counter()).to_pylist() == [ids[0], ids[2]]
