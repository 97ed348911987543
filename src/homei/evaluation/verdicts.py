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
TOO_FEW = "There are too few sales to tell."
BASELINES = {
    "naive": "the median of similar sales",
    "linear": "a linear regression",
    "untuned": "LightGBM with default parameters",
}

Verdict = dict[str, Any]
Interval = tuple[float, float] | tuple[None, None]
Band = tuple[float | None, float | None]
NO_INTERVAL = (None, None)


def of_enough_sales(results: list[Verdict], n: int, min_sales: int) -> list[Verdict]:
    """The verdicts on `n` sales, all of them None if these are fewer than `min_sales`."""
    if n >= min_sales:
        return results
    text = f"{TOO_FEW} {n} were valued, and {min_sales} are needed."
    return [{**result, "ok": None, "text": text} for result in results]


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
            ok = overlaps(interval, (None if name == "cod" else low, high))
        result.append(verdict(name, statistic["value"], (low, high), interval, ok))
    return result


def baseline_verdict(
    baseline: str,
    predicted: npt.ArrayLike,
    baseline_values: npt.ArrayLike,
    actual: npt.ArrayLike,
    draws: int,
    seed: int,
) -> Verdict:
    """The model's relative reduction of a baseline's MdAPE; ok if its whole 95 % interval is above 0.

    Only sales with a value of the baseline are compared.
    """
    is_known = np.isfinite(baseline_values)
    if not is_known.any():
        return verdict(f"better_than_{baseline}", None, (0.0, None), NO_INTERVAL, None)
    price = np.asarray(actual)[is_known]
    valued, _ = checked(np.asarray(predicted)[is_known], price)
    other, price = checked(np.asarray(baseline_values)[is_known], price)
    gain = 1 - mdape(valued, price) / mdape(other, price)
    error = STATISTICS["mdape"]
    # Paired: both errors are computed on the same resample.
    drawn = [
        1 - error(valued[rows], price[rows]) / error(other[rows], price[rows])
        for rows in resamples(len(price), draws, seed)
    ]
    interval = percentile_interval(np.concatenate(drawn))
    ok = interval[0] is not None and interval[0] > 0
    return verdict(f"better_than_{baseline}", gain, (0.0, None), interval, ok)


def confidence_verdict(confidence: Mapping[str, Any]) -> Verdict:
    """Whether stated confidences match observed ones (`confidence_study`); the value is the largest gap."""
    band = None, confidence["margin"]
    return verdict("confidence", confidence["largest_gap"], band, NO_INTERVAL, confidence["ok"])


def noise_floor_verdict(study: Mapping[str, Any], interval: Interval, floor: Mapping[str, Any]) -> Verdict:
    """The model's MdAPE as a multiple of the noise floor's; ok up to NEAR_FLOOR, None without a floor."""
    floor_error = floor["mdape"]
    if not floor_error:
        return verdict("noise_floor", None, (None, NEAR_FLOOR), NO_INTERVAL, None)
    multiple = study["mdape"] / floor_error
    multiples = tuple(None if end is None else end / floor_error for end in interval)
    return verdict("noise_floor", multiple, (None, NEAR_FLOOR), multiples, multiple <= NEAR_FLOOR)


def verdict(
    name: str, value: float | None, band: Band, interval: Interval, ok: bool | None, text: str | None = None
) -> Verdict:
    """A verdict as a JSON-ready record of value, 95 % interval, band, `ok` and sentence.

    `text` is the sentence, by default that of the statistic `name`.
    """
    value, low, high = (_rounded(number) for number in (value, *band))
    if text is None:
        text = TOO_FEW if value is None else _sentence(name, value, bool(ok))
    return {
        "name": name, "value": value, "low": low, "high": high, "interval": [_rounded(end) for end in interval],
        "ok": None if ok is None else bool(ok), "text": text,
    }  # fmt: skip


def overlaps(interval: Interval, band: Band) -> bool | None:
    """Whether an interval overlaps a band, which may be open below; None without an interval."""
    if interval[0] is None:
        return None
    return interval[0] <= band[1] and (band[0] is None or interval[1] >= band[0])


def _rounded(number: float | None) -> float | None:
    return None if number is None or not np.isfinite(number) else round(float(number), 6)


def _sentence(name: str, value: float, ok: bool) -> str:
    amount = f"{abs(value) * 100:.1f} %"
    if name.startswith("better_than_"):
        baseline = BASELINES.get(name.removeprefix("better_than_"), name)
        return f"The error is {amount} {'lower' if value > 0 else 'higher'} than that of {baseline}."
    level = f"The median value is {abs(value - 1) * 100:.1f} % {'above' if value > 1 else 'below'} the price"
    dispersion = f"Ratios deviate by {amount} from their median on average"
    change = f"As a property's value doubles, its ratio {'rises' if value > 0 else 'falls'} by {amount}"
    side = "above" if value > 0 else "below"
    strata = f"The median ratio of the highest values is {amount} {side} that of the lowest"
    passed, failed = {
        "median_ratio": (f"{level}, within the standard's band.", f"{level}, outside the standard's band."),
        "cod": (
            f"{dispersion}: as uniform as the standard requires.",
            f"{dispersion}: less uniform than the standard requires.",
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
