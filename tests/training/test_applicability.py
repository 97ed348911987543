from dataclasses import replace

import numpy as np
import pytest

from homei.training.applicability import Applicability
from homei.training.config import FLAGS
from homei.training.encoding import Encoder, columns_of
from homei.training.intervals import OutOfTimeSales, calibrate


@pytest.fixture(scope="module")
def applicability(sections, ready) -> Applicability:
    sales = columns_of(ready())
    return Applicability.fit(sales, sales, sections.applicability)


@pytest.fixture
def home(ready):
    """Columns of one property, with defaults except for the given changes."""

    def make(**different: object) -> dict[str, np.ndarray]:
        ordinary = columns_of(ready(1).assign(location="harbour", property_type="flat", square_meters=90.0))
        return ordinary | {
            name: np.array([value], dtype=object if isinstance(value, str | None) else None)
            for name, value in different.items()
        }

    return make


def raised(applicability, columns) -> set[str]:
    return {name for name, flag in zip(FLAGS, applicability.flags(columns)[0], strict=True) if flag}


@pytest.mark.parametrize(
    ("different", "flags"),
    [
        ({}, set()),
        ({"location": "moor"}, {"unknown_location"}),
        ({"square_meters": 500.0}, {"unusual_area"}),
        ({"square_meters": 12.0}, {"unusual_area"}),
        ({"comparable_distance": np.nan}, {"no_comparable"}),
        ({"alike_distance": 3.1}, {"unlike_any_sale"}),
        ({"location": "moor", "square_meters": 500.0}, {"unknown_location", "unusual_area"}),
    ],
)
def test_properties_outside_the_training_data_are_flagged(applicability, home, different, flags):
    assert raised(applicability, home(**different)) == flags


def test_an_unknown_location_of_a_city_without_coordinates_has_no_comparables(sections, ready, home):
    sales = columns_of(ready().assign(latitude=np.nan))
    without = Applicability.fit(sales, sales, sections.applicability)
    assert raised(without, home(location="harbour")) == set()
    assert raised(without, home(location="moor")) == {"unknown_location", "no_comparable"}
    assert without.is_refused(without.flags(home(location="moor"))).all()


@pytest.mark.parametrize("column", ["location", "property_type"])
@pytest.mark.parametrize(("n_training", "is_thin"), [(0, True), (1, True), (4, True), (5, False)])
def test_a_location_or_type_with_few_training_sales_is_known_and_flagged(
    sections, ready, home, column, n_training, is_thin
):
    market = ready().assign(latitude=np.nan)
    market.loc[market.index[: n_training + 1], column] = "Ridge"
    known = Applicability.fit(columns_of(market.iloc[1:]), columns_of(market), sections.applicability)
    ridge = home(**{column: "Ridge"})
    assert raised(known, ridge) == ({"thin_evidence"} if is_thin else set())
    assert not known.is_refused(known.flags(ridge)).any()
    assert (known.factor(known.flags(ridge)) > 1).all() == is_thin


def test_a_missing_location_is_not_an_unknown_one(applicability, home):
    assert raised(applicability, home(location=None)) == set()


def test_few_training_sales_have_an_unusual_area(applicability, ready):
    flags = applicability.flags(columns_of(ready()))
    assert 0 < flags[:, FLAGS.index("unusual_area")].mean() < 0.01
    assert not flags[:, [FLAGS.index("unknown_location"), FLAGS.index("thin_evidence")]].any()


def test_each_flag_widens_the_interval_by_its_factor(applicability, sections):
    flags = np.array([[name in raised for name in FLAGS] for raised in ([], FLAGS[:1], FLAGS[:2])])
    factor = sections.applicability.widen
    widest = factor["unknown_location"] * factor["unusual_area"]
    np.testing.assert_allclose(applicability.factor(flags), [1, factor["unknown_location"], widest])


def test_factors_are_measured_for_flags_with_enough_sales(applicability, sections, ready):
    encoder = Encoder.fit(columns_of(ready()), ("floor",), ("location",))
    unlike = np.arange(1_000) % 5 == 0
    columns = columns_of(ready(1_000).assign(alike_distance=np.where(unlike, 9.0, 0.1)))
    part = OutOfTimeSales(columns, np.random.default_rng(1).normal(0, np.where(unlike, 0.3, 0.1)))
    spread = calibrate([part, part], encoder, (), 0.9, 1)
    widen = applicability.calibrated([part], encoder, spread, 0.9).config.widen
    assert 1.3 < widen["unlike_any_sale"] < 3
    assert widen["unknown_location"] == sections.applicability.widen["unknown_location"]


def test_only_configured_combinations_of_flags_are_refused(applicability):
    raised = [("unknown_location", "no_comparable"), ("unknown_location",), FLAGS, ("no_comparable", "thin_evidence")]
    flags = np.array([[name in names for name in FLAGS] for names in raised])
    assert applicability.is_refused(flags).tolist() == [True, False, True, False]


def test_nothing_is_refused_without_configured_refusals(sections, applicability):
    policy = sections.applicability.model_copy(update={"refuse": []})
    lenient = replace(applicability, config=policy)
    assert lenient.is_refused(np.ones((3, len(FLAGS)), dtype=bool)).tolist() == [False] * 3


def test_no_properties_have_no_flags(applicability, home):
    nothing = {name: column[:0] for name, column in home().items()}
    assert applicability.flags(nothing).shape == (0, len(FLAGS))
    assert applicability.is_refused(applicability.flags(nothing)).tolist() == []


def test_applicability_can_be_read_back_from_json(applicability):
    assert Applicability.from_json(applicability.to_json()) == applicability
