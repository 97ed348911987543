"""Verdicts: each statistic compared with its band, baseline or promise, with a sentence for reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from homei.evaluation.config import Bands
from homei.evaluation.ratio_study import STATISTICS, checked, mdape, percentile_interval, resamples

# Accepted multiple of the noise floor's error. No valuation can reach the floor: the true price of a simulated city
# includes view and condition, and the twins of a quarter share market movements that earlier months do not show.
NEAR_FLOOR = 1.5
TOO_FEW = "There are too few sales."

Verdict = dict[str, Any]
Interval = tuple[float, float] | tuple[None, None]


def band_verdicts(study: Mapping[str, Any], significance: float | None, bands: Bands) -> list[Verdict]:
    """One verdict for each band on a `bootstrap_study`: ok if the 95 % interval overlaps the band.

    This is the standard's own rule (§9): a jurisdiction fails only if chance cannot explain the result. A COD below its
    band passes: the standard suspects sales chasing, which valuations made before the sale rule out. For the vertical
    equity indicator, the `significance` (see `equity.vertical_equity`) must lie in the band.
    """
    result = []
    for name in Bands.model_fields:
        low, high = getattr(bands, name)
        statistic = study[name]
        interval = statistic["low"], statistic["high"]
        if name == "vei":
            ok = None if significance is None else low <= significance <= high
        else:
            ok = _overlaps(interval, None if name == "cod" else low, high)
        result.append(_verdict(name, statistic["value"], low, high, interval, ok))
    return result


def baseline_verdict(
    baseline: str,
    predicted: npt.ArrayLike,
    baseline_values: npt.ArrayLike,
    actual: npt.ArrayLike,
    draws: int,
    seed: int,
) -> Verdict:
    """The model's relative reduction of a baseline's MdAPE; ok if its whole 95 % interval is above 0."""
    valued, price = checked(predicted, actual)
    other, _ = checked(baseline_values, actual)
    gain = 1 - mdape(valued, price) / mdape(other, price)
    error = STATISTICS["mdape"]
    # Paired: both errors are computed on the same resample.
    drawn = [
        1 - error(valued[rows], price[rows]) / error(other[rows], price[rows])
        for rows in resamples(len(price), draws, seed)
    ]
    interval = percentile_interval(np.concatenate(drawn))
    return _verdict(f"better_than_{baseline}", gain, 0.0, None, interval, bool(interval[0] and interval[0] > 0))


def confidence_verdict(confidence: Mapping[str, Any]) -> Verdict:
    """Whether stated confidences match observed ones (`confidence_study`); the value is the largest gap."""
    return _verdict("confidence", confidence["largest_gap"], None, confidence["margin"], (None, None), confidence["ok"])


def noise_floor_verdict(study: Mapping[str, Any], interval: Interval, floor: Mapping[str, Any]) -> Verdict:
    """The model's MdAPE as a multiple of the noise floor's; ok up to NEAR_FLOOR, None without a floor."""
    floor_error = floor["mdape"]
    if not floor_error:
        return _verdict("noise_floor", None, None, NEAR_FLOOR, (None, None), None)
    multiple = study["mdape"] / floor_error
    multiples = tuple(None if end is None else end / floor_error for end in interval)
    return _verdict("noise_floor", multiple, None, NEAR_FLOOR, multiples, multiple <= NEAR_FLOOR)


def verdict(
    name: str,
    value: float | None,
    band: tuple[float | None, float | None],
    interval: Interval,
    ok: bool | None,
    text: str,
) -> Verdict:
    """A verdict as a JSON-ready record of value, 95 % interval, band, `ok` and sentence."""
    low, high = band
    value, low, high = (_rounded(number) for number in (value, low, high))
    return {
        "name": name, "value": value, "low": low, "high": high, "interval": [_rounded(end) for end in interval],
        "ok": None if ok is None else bool(ok), "text": text,
    }  # fmt: skip


def _verdict(
    name: str, value: float | None, low: float | None, high: float | None, interval: Interval, ok: bool | None
) -> Verdict:
    value = _rounded(value)
    text = TOO_FEW if value is None else _sentence(name, value, bool(ok))
    return verdict(name, value, (low, high), interval, ok, text)


def _rounded(number: float | None) -> float | None:
    return None if number is None or not np.isfinite(number) else round(float(number), 6)


def _overlaps(interval: Interval, low: float | None, high: float) -> bool | None:
    if interval[0] is None:
        return None
    return interval[0] <= high and (low is None or interval[1] >= low)


def _sentence(name: str, value: float, ok: bool) -> str:
    amount = f"{abs(value) * 100:.1f} %"
    if name.startswith("better_than_"):
        baseline = BASELINES.get(name.removeprefix("better_than_"), name)
        return f"The error is {amount} {'lower' if value > 0 else 'higher'} than that of {baseline}."
    level = f"The median value is {abs(value - 1) * 100:.1f} % {'above' if value > 1 else 'below'} the price"
    change = f"As a property's value doubles, its ratio {'rises' if value > 0 else 'falls'} by {amount}"
    strata = (
        f"The median ratio of the highest values is {amount} {'above' if value > 0 else 'below'} that of the lowest"
    )
    passed, failed = {
        "median_ratio": (f"{level}, within the standard's band.", f"{level}, outside the standard's band."),
        "cod": (
            f"Ratios deviate by {amount} from their median on average: as uniform as the standard requires.",
            f"Ratios deviate by {amount} from their median on average: less uniform than the standard requires.",
        ),
        "prd": (
            "Low and high values are at the same level.",
            f"{'High' if value > 1 else 'Low'} values are too low relative to the others.",
        ),
        "prb": (f"{change}, within the standard's band.", f"{change}, more than the standard allows."),
        "mki": (
            "Values differ between low and high prices as much as prices do.",
            f"Values differ {'more' if value > 1 else 'less'} between low and high prices than prices do.",
        ),
        "vei": (f"{strata}: within the band, or by chance.", f"{strata}: outside the band, and not by chance."),
        "confidence": (
            "Stated confidences match the observed ones, except for chance.",
            f"Stated confidences differ by up to {amount} from the observed ones: more than by chance.",
        ),
        "noise_floor": (f"The error is {value:.2f} times the error that the noise of single sales alone causes.",) * 2,
    }[name]
    return passed if ok else failed


BASELINES = {
    "naive": "the median of similar sales",
    "linear": "a linear regression",
    "untuned": "LightGBM with default parameters",
}
