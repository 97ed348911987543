"""Rows that repeat another one of their feed: restated, contradictory, corrected and deleted ones."""

from homei.validation.validate import validate_records


def reasons_of(raw, source):
    """The reasons of each row that is not valid, by its position."""
    found = validate_records(raw, source)
    rows = sorted({*found.breaches["row"], *found.asides["row"]})
    return {row: [*_reasons(found.breaches, row), *_reasons(found.asides, row)] for row in rows}


def _reasons(frame, row):
    return frame.loc[frame["row"] == row, "reason"]


def asides_of(raw, source):
    """The rows that are set aside and not rejected."""
    return sorted(validate_records(raw, source).asides["row"])


def test_the_first_row_with_an_id_is_valid(raw_of, source_of):
    raw = raw_of({}, {"transaction_id": "T1", "price": "300000"}, {}, {"transaction_id": "T1"})
    assert reasons_of(raw, source_of()) == {1: ["duplicate: of line 2"], 3: ["already stated: in line 2"]}


def test_spaces_around_an_id_do_not_make_another_id(raw_of, source_of):
    assert reasons_of(raw_of({}, {"transaction_id": " T1 ", "price": "1"}), source_of())[1][-1:] == [
        "duplicate: of line 2"
    ]


def test_an_equal_row_of_another_export_is_already_stated_and_not_rejected(raw_of, source_of):
    raw = raw_of({}, {"transaction_id": "T1"}).assign(source_file=["old.csv", "new.csv"])
    assert reasons_of(raw, source_of()) == {1: ["already stated: in line 2 in old.csv"]}
    assert asides_of(raw, source_of()) == [1]


def test_of_a_sale_entered_wrongly_and_then_correctly_the_correct_row_is_valid(raw_of, source_of):
    raw = raw_of({"price": None}, {"transaction_id": "T1"}, {"transaction_id": "T1", "price": "x"})
    assert reasons_of(raw, source_of()) == {
        0: ["price: missing"],
        2: ["price: not a number", "duplicate: of line 3"],
    }


def test_rows_without_id_are_not_duplicates_of_each_other(raw_of, source_of):
    raw = raw_of({"transaction_id": None}, {"transaction_id": None})
    assert reasons_of(raw, source_of()) == {0: ["transaction_id: missing"], 1: ["transaction_id: missing"]}


def test_without_ids_an_equal_row_is_already_stated(raw_of, source_of):
    source = source_of(only={"sale_date", "price", "square_meters", "property_type", "location", "floor"})
    raw = raw_of({"floor": None}, {}, {"floor": None}, {"price": "250001"}, {})
    assert reasons_of(raw, source) == {2: ["already stated: in line 2"], 4: ["already stated: in line 3"]}


def test_a_correction_in_a_later_file_wins_and_the_older_row_is_not_rejected(raw_of, source_of):
    raw = raw_of({}, {}, {"transaction_id": "T1", "price": "260000"})
    raw = raw.assign(source_file=["old.csv", "old.csv", "new.csv"])
    assert reasons_of(raw, source_of()) == {0: ["replaced: by line 4 in new.csv"]}
    assert asides_of(raw, source_of()) == [0]
    assert validate_records(raw, source_of()).valid["price"].tolist() == [250000.0, 260000.0]


def test_a_correction_that_breaks_the_contract_does_not_win(raw_of, source_of):
    raw = raw_of({}, {"transaction_id": "T1", "price": "x"}).assign(source_file=["old.csv", "new.csv"])
    assert reasons_of(raw, source_of()) == {1: ["price: not a number", "duplicate: of line 2 in old.csv"]}


def test_a_correction_back_to_an_earlier_row_keeps_that_row(raw_of, source_of):
    raw = raw_of({}, {"transaction_id": "T1", "price": "1"}, {"transaction_id": "T1"})
    raw = raw.assign(source_file=["a.csv", "b.csv", "c.csv"])
    assert reasons_of(raw, source_of()) == {
        1: ["replaced: by line 2 in a.csv"],
        2: ["already stated: in line 2 in a.csv"],
    }


def test_a_marked_row_deletes_its_record_wherever_it_is(raw_of, source_of):
    raw = raw_of({}, {}, {"transaction_id": "T1", "price": None})
    raw = raw.assign(source_file=["old.csv", "old.csv", "new.csv"], source_deleted=[None, None, "status = D"])
    source = source_of(given={"deleted": {"column": "status", "values": ["D"]}})
    assert reasons_of(raw, source) == {0: ["deleted: by line 4 in new.csv"], 2: ["deleted: status = D"]}
    assert asides_of(raw, source) == [0, 2]


def test_excluded_rows_are_set_aside_and_repeat_nothing(raw_of, source_of):
    raw = raw_of({"price": "x"}, {"transaction_id": "T1"}, {}).assign(source_excluded=["nature = exchange", None, None])
    source = source_of(given={"exclude": {"nature": ["exchange"]}})
    assert reasons_of(raw, source) == {0: ["excluded: nature = exchange"]}
    assert asides_of(raw, source) == [0]


def test_a_record_that_is_entered_again_after_its_deletion_is_valid(raw_of, source_of):
    raw = raw_of({}, {"transaction_id": "T1"}, {"transaction_id": "T1", "price": "260000"})
    raw = raw.assign(source_file=["a.csv", "b.csv", "c.csv"], source_deleted=[None, "status = D", None])
    source = source_of(given={"deleted": {"column": "status", "values": ["D"]}})
    assert validate_records(raw, source).valid["source_line"].tolist() == [4]
    assert asides_of(raw, source) == [0, 1]


def test_a_marked_row_without_an_id_deletes_nothing_else(raw_of, source_of):
    raw = raw_of({"transaction_id": None}, {}).assign(source_deleted=["status = D", None])
    source = source_of(given={"deleted": {"column": "status", "values": ["D"]}})
    assert reasons_of(raw, source) == {0: ["deleted: status = D"]}


def test_a_sale_that_its_register_states_in_several_rows_is_kept_once_and_nothing_is_rejected(raw_of, source_of):
    outbuilding = {"transaction_id": "T0", "square_meters": None, "property_type": "shed"}
    raw = raw_of(outbuilding, {"transaction_id": "T0"}, {"transaction_id": "T0", "square_meters": "12"})
    found = validate_records(raw, source_of(required=["square_meters"]))
    assert found.valid["source_line"].tolist() == [3]
    assert dict(zip(found.asides["row"], found.asides["reason"], strict=True)) == {
        0: "further row: of line 3",
        2: "further row with another area: of line 3",
    }
    assert found.breaches.empty
