import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.model.preprocess import Encoder, base, columns_of, target

NUMERIC, CATEGORICAL = ("floor", "latitude"), ("property_type", "location")


@pytest.fixture(scope="module")
def sales(ready):
    return ready(300)


@pytest.fixture(scope="module")
def encoder(sales):
    return Encoder.learn(columns_of(sales), NUMERIC, CATEGORICAL)


@given(row=st.integers(0, 299))
def test_one_row_is_encoded_as_in_a_table_bit_for_bit(sales, encoder, row):
    whole, alone = encoder.matrix(columns_of(sales)), encoder.matrix(columns_of(sales[row : row + 1]))
    assert alone.tobytes() == whole[row : row + 1].tobytes()


def test_the_columns_are_named_in_the_order_of_the_matrix(sales, encoder):
    assert encoder.names == [
        "floor", "latitude", "age", "log_area", "month", "season", "property_type", "location",
    ]  # fmt: skip
    assert [encoder.names[place] for place in encoder.categorical] == list(CATEGORICAL)
    matrix = encoder.matrix(columns_of(sales))
    assert matrix.shape == (300, 8)
    assert np.array_equal(matrix[:, 1], sales["latitude"])
    assert np.array_equal(matrix[:, 3], np.log(sales["square_meters"]))


def test_age_month_and_season_are_those_of_the_sale():
    home = {
        "month": np.array([2025 * 12 + 6]),
        "year_built": np.array([1995.0]),
        "square_meters": np.array([80.0]),
    }
    age, _, month, season = Encoder((), {}).matrix(home)[0]
    assert (age, month, season) == (30, 24_306, 6)


def test_what_is_unknown_is_nan(sales, encoder):
    row = sales[:2].assign(location=["nowhere", None], floor=np.nan)
    known = dict(zip(encoder.names, encoder.matrix(columns_of(row)).T, strict=True))
    assert np.isnan(known["location"]).all()
    assert np.isnan(known["floor"]).all()
    assert not np.isnan(known["property_type"]).any()


def test_codes_follow_the_alphabet_whatever_the_order_of_the_sales(sales, encoder):
    assert encoder.categories["location"] == ("harbour", "hill", "station")
    assert Encoder.learn(columns_of(sales[::-1]), NUMERIC, CATEGORICAL) == encoder


def test_an_encoder_comes_back_from_its_text(sales, encoder):
    again = Encoder.from_json(encoder.to_json())
    assert again == encoder
    assert again.matrix(columns_of(sales)).tobytes() == encoder.matrix(columns_of(sales)).tobytes()


def test_the_target_and_the_base_make_the_price(sales):
    columns = columns_of(sales)
    assert np.allclose(np.exp(target(columns) + base(columns)), columns["price"], rtol=1e-8)
