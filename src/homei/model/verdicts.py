"""What the measured numbers amount to: each one against its band, its rival or its promise, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from homei.config import Bands
from homei.model.floor import KNOWN_NOISE, TWINS
from homei.model.ratio import STATISTICS, checked, mdape, percentile_interval, resamples

# How many times the floor's error is close. Twins sold within the quarter, of which a valuation from the months
# before knows nothing yet: their floor lies lower than any that looks only back can come.
NEAR_FLOOR = {KNOWN_NOISE: 1.15, TWINS: 1.5}

Verdict = dict[str, Any]
Interval = tuple[float, float] | tuple[None, None]


def band_verdicts(study: Mapping[str, Any], significance: float | None, bands: Bands) -> list[Verdict]:
    """One verdict for each band on a bootstrap_study: it holds where the statistic's 95 % interval overlaps the band.

    That is the standard's own rule (§9): a jurisdiction fails only where chance can't account for it. A COD below its
    band is no failure here: the standard suspects sales chasing, which valuations made before the sale rule out. The
    vertical equity indicator has a rule of its own: its `significance` must be in its band, see equity.vertical_equity.
    """
    found = []
    for name in Bands.model_fields:
        low, high = getattr(bands, name)
        measured = study[name]
        interval = measured["low"], measured["high"]
        if name == "vei":
            ok = None if significance is None else low <= significance <= high
        else:
            ok = _overlaps(interval, None if name == "cod" else low, high)
        found.append(_verdict(name, measured["value"], low, high, interval, ok))
    return found


def rival_verdict(
    rival: str, predicted: npt.ArrayLike, rivalled: npt.ArrayLike, actual: npt.ArrayLike, draws: int, seed: int
) -> Verdict:
    """By what share the model's MdAPE is below a rival's on the same sales; holds where even chance keeps it below."""
    valued, price = checked(predicted, actual)
    other, _ = checked(rivalled, actual)
    gain = 1 - mdape(valued, price) / mdape(other, price)
    error = STATISTICS["mdape"]
    # Paired: both are judged on the same resample, so that an easy one flatters neither.
    drawn = [
        1 - error(valued[rows], price[rows]) / error(other[rows], price[rows])
        for rows in resamples(len(price), draws, seed)
    ]
    interval = percentile_interval(np.concatenate(drawn))
    return _verdict(f"better_than_{rival}", gain, 0.0, None, interval, bool(interval[0] and interval[0] > 0))


def confidence_verdict(confidence: Mapping[str, Any]) -> Verdict:
    """Whether valuations are as sure as they say: by how much the worst group's confidence misses what came."""
    return _verdict("confidence", confidence["largest_gap"], None, confidence["margin"], (None, None), confidence["ok"])


def floor_verdict(study: Mapping[str, Any], interval: Interval, floor: Mapping[str, Any]) -> Verdict:
    """How many times the floor's MdAPE the model's is; holds up to NEAR_FLOOR, and is None without a floor."""
    limit, least = NEAR_FLOOR[floor["basis"]], floor["mdape"]
    if not least:
        return _verdict("noise_floor", None, None, limit, (None, None), None)
    times = study["mdape"] / least
    around = (interval[0] / least, interval[1] / least) if interval[0] is not None else (None, None)
    return _verdict("noise_floor", times, None, limit, around, times <= limit)


def verdict(
    name: str,
    value: float | None,
    band: tuple[float | None, float | None],
    interval: Interval,
    ok: bool | None,
    text: str,
) -> Verdict:
    """A verdict as reports hold it: `value` with its 95 % `interval`, the `band` it belongs in, and what that says."""
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
    return verdict(name, value, (low, high), interval, ok, _sentence(name, value, ok))


def _rounded(number: float | None) -> float | None:
    return None if number is None or not np.isfinite(number) else round(float(number), 6)


def _overlaps(interval: Interval, low: float | None, high: float) -> bool | None:
    if interval[0] is None:
        return None
    return interval[0] <= high and (low is None or interval[1] >= low)


def _sentence(name: str, value: float | None, ok: bool | None) -> str:
    if value is None:
        return "There are too few sales to tell."
    amount, so = f"{abs(value) * 100:.1f} %", bool(ok)
    direction = "above" if value > 1 else "below"
    return {
        "median_ratio": f"The median value is {abs(value - 1) * 100:.1f} % {direction} the price"
        + (", within the standard's band." if so else ": valuations are off level."),
        "cod": f"Ratios lie {amount} from their median on average"
        + (": as uniform as the standard asks." if so else ": less uniform than the standard allows."),
        "prd": "Cheap and dear homes are valued alike."
        if so
        else f"{'Dear' if value > 1 else 'Cheap'} homes are valued low against the others.",
        "prb": f"As a home's worth doubles, its ratio {'rises' if value > 0 else 'falls'} by {amount}"
        + (": cheap and dear are treated alike." if so else ": more than the standard allows."),
        "mki": "Values part cheap from dear as prices do."
        if so
        else f"Values differ {'more' if value > 1 else 'less'} between cheap and dear homes than prices do.",
        "vei": f"The dearest homes' ratio lies {amount} {'above' if value > 0 else 'below'} that of the cheapest"
        + (": no more than allowed, or than chance." if so else ": beyond what is allowed and what chance explains."),
        "confidence": "Valuations are as sure as they say"
        + (", give or take chance." if so else f" but for {amount}: more than chance accounts for."),
        "noise_floor": f"The error is {value:.2f} times what the noise of single sales alone would leave.",
    }.get(name) or _against(name.removeprefix("better_than_"), value, amount)


def _against(rival: str, gain: float, amount: str) -> str:
    names = {
        "naive": "the median of like homes sold nearby",
        "linear": "a linear regression",
        "untuned": "LightGBM as it comes",
    }
    return f"The error is {amount} {'lower' if gain > 0 else 'higher'} than that of {names.get(rival, rival)}."
