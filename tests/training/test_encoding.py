import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.training.encoding import Encoder, columns_of

NUMERIC, CATEGORICAL = ("floor", "latitude"), ("property_type", "location")


@pytest.fixture(scope="module")
def sales(ready):
    return ready(300)


@pytest.fixture(scope="module")
def encoder(sales):
    return Encoder.fit(columns_of(sales), NUMERIC, CATEGORICAL)


@given(row=st.integers(0, 299))
def test_a_single_row_is_encoded_as_in_a_batch(sales, encoder, row):
    whole, alone = encoder.matrix(columns_of(sales)), encoder.matrix(columns_of(sales[row : row + 1]))
    assert alone.tobytes() == whole[row : row + 1].tobytes()


def test_names_are_in_the_order_of_the_matrix(sales, encoder):
    assert encoder.names == [
        "floor", "latitude", "age", "log_area", "month", "season", "property_type", "location",
    ]  # fmt: skip
    assert [encoder.names[place] for place in encoder.categorical] == list(CATEGORICAL)
    matrix = encoder.matrix(columns_of(sales))
    assert matrix.shape == (300, 8)
    assert np.array_equal(matrix[:, 1], sales["latitude"])
    assert np.array_equal(matrix[:, 3], np.log(sales["square_meters"]))


def test_derived_inputs_are_computed_from_the_sale():
    home = {
        "month": np.array([2025 * 12 + 6]),
        "year_built": np.array([1995.0]),
        "square_meters": np.array([80.0]),
    }
    age, _, month, season = Encoder((), {}).matrix(home)[0]
    assert (age, month, season) == (30, 24_306, 6)


def test_unknown_values_are_nan(sales, encoder):
    row = sales[:2].assign(location=["nowhere", None], floor=np.nan)
    known = dict(zip(encoder.names, encoder.matrix(columns_of(row)).T, strict=True))
    assert np.isnan(known["location"]).all()
    assert np.isnan(known["floor"]).all()
    assert not np.isnan(known["property_type"]).any()


def test_codes_are_alphabetical_for_any_order_of_the_sales(sales, encoder):
    assert encoder.categories["location"] == ("harbour", "hill", "station")
    assert Encoder.fit(columns_of(sales[::-1]), NUMERIC, CATEGORICAL) == encoder


def test_an_encoder_can_be_read_back_from_json(sales, encoder):
    repeated = Encoder.from_json(encoder.to_json())
    assert repeated == encoder
    assert repeated.matrix(columns_of(sales)).tobytes() == encoder.matrix(columns_of(sales)).tobytes()


def test_target_and_base_price_equal_the_price(sales, encoder):
    columns = columns_of(sales)
    log_prices = encoder.target(columns) + encoder.log_base_price(columns)
    assert np.allclose(np.exp(log_prices), columns["price"], rtol=1e-8)


def test_prices_without_an_area_are_relative_to_a_typical_price_of_the_type(sales, encoder):
    partly = sales.assign(square_meters=sales["square_meters"].mask(np.arange(len(sales)) % 2 == 0))
    columns = columns_of(partly)
    fitted = Encoder.fit(columns, NUMERIC, CATEGORICAL)
    assert abs(np.nanmedian(fitted.target(columns))) < 12
    assert np.isfinite(fitted.target(columns)).all()
    assert np.allclose(np.exp(fitted.target(columns) + fitted.log_base_price(columns)), columns["price"], rtol=1e-8)
    repeated = Encoder.from_json(fitted.to_json())
    assert repeated.whole_prices == fitted.whole_prices and repeated.has_unknown_areas
    assert "whole_prices" not in encoder.to_json(), "a model that knows all areas is stored as before"
