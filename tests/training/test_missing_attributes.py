"""Missing attributes: a floor is usual for flats, not for houses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homei.training.missing_attributes import MissingAttributes

ATTRIBUTES = ("floor", "heating")
KNOWN = MissingAttributes({"flat": ATTRIBUTES, "house": ("heating",)}, {"floor": 1.5, "heating": 1.2})


def homes(*rows):
    kinds, floors, heating = zip(*rows, strict=True)
    texts = [np.array([*values, None], dtype=object)[:-1] for values in (kinds, heating)]
    return {"property_type": texts[0], "floor": np.array(floors, dtype=float), "heating": texts[1]}


def test_attributes_of_most_sales_of_a_type_are_usual():
    rows = [("flat", 3.0, "gas")] * 8 + [("flat", np.nan, None)] * 2
    rows += [("house", np.nan, "gas")] * 6 + [("house", np.nan, None)] * 3
    training = MissingAttributes.fit(homes(*rows), ATTRIBUTES)
    assert training.usual == {"flat": ATTRIBUTES, "house": ()}
    assert training.factor(homes(*rows)).tolist() == [1.0] * len(rows), "factors are not measured yet"


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
def test_each_missing_usual_attribute_widens_the_interval(home, factor):
    assert KNOWN.factor(homes(home)).tolist() == [pytest.approx(factor)]


HOMES = st.tuples(st.sampled_from(["flat", "house"]), st.sampled_from([1.0, np.nan]), st.sampled_from(["gas", None]))


@given(st.lists(HOMES, min_size=1, max_size=30))
def test_factors_do_not_depend_on_the_batch_and_survive_json(rows):
    kept = MissingAttributes.from_json(KNOWN.to_json())
    assert kept == KNOWN
    assert kept.factor(homes(*rows)).tolist() == [KNOWN.factor(homes(row))[0] for row in rows]


def test_without_properties_or_attributes_nothing_is_missing():
    nothing = {name: column[:0] for name, column in homes(("flat", 1.0, "gas")).items()}
    assert KNOWN.factor(nothing).shape == (0,)
    assert MissingAttributes.fit(homes(("flat", 1.0, "gas")), ()).factor(homes(("flat", 1.0, "gas"))).tolist() == [1.0]
