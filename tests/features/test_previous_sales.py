import pytest

from homei.features.previous_sales import previous_sales, with_previous

SCHEMA = "id int, property_id string, month long, u_micro long"


@pytest.fixture(scope="module")
def previous_features(spark):
    """Computes previous_level and previous_months of sales (property_id, month, u_micro), in their order."""

    def compute(*rows: tuple) -> list[tuple]:
        sales = spark.createDataFrame([(number, *row) for number, row in enumerate(rows)], SCHEMA)
        result = sales.transform(with_previous(previous_sales(sales))).orderBy("id")
        return [(row.previous_level, row.previous_months) for row in result.collect()]

    return compute


def test_the_latest_earlier_sale_is_used(previous_features):
    assert previous_features(("a", 10, 100_000), ("a", 14, 200_000), ("a", 20, 300_000)) == [
        (None, None),
        (0.1, 4.0),
        (0.2, 6.0),
    ]


def test_sales_of_the_same_month_are_averaged_and_are_not_previous_sales_of_each_other(previous_features):
    assert previous_features(("a", 10, 100_000), ("a", 10, 300_000), ("a", 12, 0)) == [
        (None, None),
        (None, None),
        (0.2, 2.0),
    ]


def test_a_sale_without_a_level_is_skipped(previous_features):
    assert previous_features(("a", 10, 100_000), ("a", 14, None), ("a", 20, 0)) == [
        (None, None),
        (0.1, 4.0),
        (0.1, 10.0),
    ]


def test_a_sale_without_property_id_has_no_previous_sale(previous_features):
    assert previous_features((None, 10, 100_000), (None, 14, 200_000), ("b", 15, 0)) == [(None, None)] * 3


def test_there_is_one_row_per_property_and_month(spark):
    rows = [(1, "a", 10, 100_000), (2, "a", 10, 200_001), (3, "b", 10, 0), (4, None, 10, 5), (5, "b", 11, None)]
    result = previous_sales(spark.createDataFrame(rows, SCHEMA)).orderBy("property_id").collect()
    assert [tuple(row) for row in result] == [("a", 10, 0.150001), ("b", 10, 0.0)]
