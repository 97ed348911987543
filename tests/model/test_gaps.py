"""What a home doesn't tell: houses without a floor lack nothing, flats without one do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.model.gaps import Gaps

ATTRIBUTES = ("floor", "heating")
KNOWN = Gaps({"flat": ATTRIBUTES, "house": ("heating",)}, {"floor": 1.5, "heating": 1.2})


def homes(*rows):
    kinds, floors, heating = zip(*rows, strict=True)
    texts = [np.array([*values, None], dtype=object)[:-1] for values in (kinds, heating)]
    return {"property_type": texts[0], "floor": np.array(floors, dtype=float), "heating": texts[1]}


def test_what_most_sales_of_a_type_tell_is_usual():
    rows = [("flat", 3.0, "gas")] * 8 + [("flat", np.nan, None)] * 2
    rows += [("house", np.nan, "gas")] * 6 + [("house", np.nan, None)] * 3
    learnt = Gaps.learn(homes(*rows), ATTRIBUTES)
    assert learnt.told == {"flat": ATTRIBUTES, "house": ()}
    assert learnt.of(homes(*rows)).tolist() == [1.0] * len(rows), "nothing was measured yet"


@pytest.mark.parametrize(
    ("home", "factor"),
    [
        (("flat", 2.0, "gas"), 1.0),
        (("flat", np.nan, "gas"), 1.5),
        (("flat", 2.0, None), 1.2),
        (("flat", np.nan, None), 1.5 * 1.2),
        (("house", np.nan, "gas"), 1.0),
        (("castle", np.nan, None), 1.0),
    ],
)
def test_each_attribute_that_is_usual_and_not_told_makes_an_interval_wider(home, factor):
    assert KNOWN.of(homes(home)).tolist() == [pytest.approx(factor)]


HOMES = st.tuples(st.sampled_from(["flat", "house"]), st.sampled_from([1.0, np.nan]), st.sampled_from(["gas", None]))


@given(st.lists(HOMES, min_size=1, max_size=30))
def test_one_home_is_as_wide_as_in_a_table_and_it_is_kept_as_it_was(rows):
    kept = Gaps.from_json(KNOWN.to_json())
    assert kept == KNOWN
    assert kept.of(homes(*rows)).tolist() == [KNOWN.of(homes(row))[0] for row in rows]


def test_without_homes_or_attributes_nothing_is_lacking():
    nothing = {name: column[:0] for name, column in homes(("flat", 1.0, "gas")).items()}
    assert KNOWN.of(nothing).shape == (0,)
    assert Gaps.learn(homes(("flat", 1.0, "gas")), ()).of(homes(("flat", 1.0, "gas"))).tolist() == [1.0]
