import pytest

from homei.features.previous import previous_sales, with_previous

SCHEMA = "id int, property_id string, month long, u_micro long"


@pytest.fixture(scope="module")
def told(spark):
    """previous_level and previous_months of some sales (property_id, month, u_micro), in the order given."""

    def tell(*rows: tuple) -> list[tuple]:
        sales = spark.createDataFrame([(number, *row) for number, row in enumerate(rows)], SCHEMA)
        found = sales.transform(with_previous(previous_sales(sales))).orderBy("id")
        return [(row.previous_level, row.previous_months) for row in found.collect()]

    return tell


def test_the_latest_earlier_sale_counts(told):
    assert told(("a", 10, 100_000), ("a", 14, 200_000), ("a", 20, 300_000)) == [
        (None, None),
        (0.1, 4.0),
        (0.2, 6.0),
    ]


def test_a_sale_of_the_same_month_is_not_earlier_and_its_month_tells_their_mean(told):
    assert told(("a", 10, 100_000), ("a", 10, 300_000), ("a", 12, 0)) == [(None, None), (None, None), (0.2, 2.0)]


def test_a_sale_without_a_known_level_is_passed_over(told):
    assert told(("a", 10, 100_000), ("a", 14, None), ("a", 20, 0)) == [(None, None), (0.1, 4.0), (0.1, 10.0)]


def test_a_property_without_a_name_has_no_previous_sale(told):
    assert told((None, 10, 100_000), (None, 14, 200_000), ("b", 15, 0)) == [(None, None)] * 3


def test_there_is_one_row_for_a_property_and_month(spark):
    rows = [(1, "a", 10, 100_000), (2, "a", 10, 200_001), (3, "b", 10, 0), (4, None, 10, 5), (5, "b", 11, None)]
    found = previous_sales(spark.createDataFrame(rows, SCHEMA)).orderBy("property_id").collect()
    assert [tuple(row) for row in found] == [("a", 10, 0.150001), ("b", 10, 0.0)]
