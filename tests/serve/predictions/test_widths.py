"""The histogram of widths: what the library's own would be of the same, however many come at a time."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from homei.serve.predictions.widths import BOUNDS, NAME, Widths

SOME = st.floats(0, 3) | st.sampled_from(BOUNDS)
BATCHES = st.lists(st.tuples(st.sampled_from(["champion", "challenger"]), st.lists(SOME, max_size=20)), max_size=5)


def told(registry):
    lines = generate_latest(registry).decode().splitlines()
    return sorted(line for line in lines if not line.startswith("#") and "_created" not in line and "_sum" not in line)


@given(BATCHES)
def test_it_is_what_the_library_makes_of_them_one_by_one(batches):
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    widths, histogram = Widths(), Histogram(NAME, "One by one.", ["variant"], buckets=BOUNDS, registry=theirs)
    ours.register(widths)
    sums = dict.fromkeys(["champion", "challenger"], 0.0)
    for variant, batch in batches:
        widths.add(variant, batch)
        one = histogram.labels(variant)
        for width in batch:
            one.observe(width)
            sums[variant] += width
    assert told(ours) == told(theirs)
    for variant in {variant for variant, _ in batches}:
        total = ours.get_sample_value(f"{NAME}_sum", {"variant": variant})
        assert abs(total - sums[variant]) < 1e-9
