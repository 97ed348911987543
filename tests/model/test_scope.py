import numpy as np
import pytest

from homei.config import FLAGS
from homei.model.intervals import OutOfTime, calibrate
from homei.model.preprocess import Encoder, columns_of
from homei.model.scope import Scope


@pytest.fixture(scope="module")
def scope(sections, ready) -> Scope:
    return Scope.learn(columns_of(ready()), sections.scope)


@pytest.fixture
def home(ready):
    """Columns of one ordinary home, with what is to be different."""

    def make(**different: object) -> dict[str, np.ndarray]:
        ordinary = columns_of(ready(1).assign(location="harbour", property_type="flat", square_meters=90.0))
        return ordinary | {
            name: np.array([value], dtype=object if isinstance(value, str | None) else None)
            for name, value in different.items()
        }

    return make


def raised(scope, columns) -> set[str]:
    return {name for name, flag in zip(FLAGS, scope.flags(columns)[0], strict=True) if flag}


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
def test_what_lies_beyond_the_models_knowledge_is_flagged(scope, home, different, flags):
    assert raised(scope, home(**different)) == flags


def test_a_location_that_is_left_out_is_not_an_unknown_one(scope, home):
    assert raised(scope, home(location=None)) == set()


def test_hardly_any_sale_that_was_learnt_from_has_an_unusual_area(scope, ready):
    flags = scope.flags(columns_of(ready()))
    assert 0 < flags[:, FLAGS.index("unusual_area")].mean() < 0.01
    assert not flags[:, FLAGS.index("unknown_location")].any()


def test_each_flag_widens_the_interval_by_its_factor(scope, sections):
    flags = np.array([[False] * 4, [True, False, False, False], [True, True, False, False]])
    factor = sections.scope.widen
    widest = factor["unknown_location"] * factor["unusual_area"]
    np.testing.assert_allclose(scope.widening(flags), [1, factor["unknown_location"], widest])


def test_a_factor_is_measured_where_enough_sales_had_the_flag(scope, sections, ready):
    encoder = Encoder.learn(columns_of(ready()), ("floor",), ("location",))
    unlike = np.arange(1_000) % 5 == 0
    columns = columns_of(ready(1_000).assign(alike_distance=np.where(unlike, 9.0, 0.1)))
    part = OutOfTime(columns, np.random.default_rng(1).normal(0, np.where(unlike, 0.3, 0.1)))
    spread = calibrate([part, part], encoder, (), 0.9, 1)
    widen = scope.measured([part], encoder, spread, 0.9).policy.widen
    assert 1.3 < widen["unlike_any_sale"] < 3
    assert widen["unknown_location"] == sections.scope.widen["unknown_location"]


def test_only_flags_that_leave_nothing_to_value_by_refuse(scope):
    nowhere_known, alone, both_and_more = [True, False, True, False], [True, False, False, False], [True] * 4
    assert scope.refused(np.array([nowhere_known, alone, both_and_more])).tolist() == [True, False, True]


def test_a_policy_without_refusals_refuses_nothing(sections, scope):
    lenient = Scope(scope.locations, scope.areas, sections.scope.model_copy(update={"refuse": []}))
    assert lenient.refused(np.ones((3, 4), dtype=bool)).tolist() == [False] * 3


def test_no_homes_have_no_flags(scope, home):
    nothing = {name: column[:0] for name, column in home().items()}
    assert scope.flags(nothing).shape == (0, 4)
    assert scope.refused(scope.flags(nothing)).tolist() == []


def test_it_is_kept_as_it_was(scope):
    assert Scope.from_json(scope.to_json()) == scope
