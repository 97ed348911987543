"""Verdicts and sentences of the front page, made from the measured values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from homei.reporting.number_formats import MISSING, text

FLOORS = {
    "known noise": "the noise in the prices themselves",
    "twins": "because similar properties differ in price",
}
BANDS = ("median_ratio", "cod", "prd", "prb", "mki", "vei")
BASELINE = "better_than_"
# Verdicts of metrics.json: title and number format.
MEASURES = {
    "median_ratio": ("Level (median ratio)", "ratio"),
    "cod": ("Uniformity (COD)", "percent"),
    "prd": ("Cheap against expensive (PRD)", "ratio"),
    "prb": ("Cheap against expensive (PRB)", "ratio"),
    "mki": ("Cheap against expensive (MKI)", "ratio"),
    "vei": ("Cheap against expensive (VEI)", "percent"),
    "better_than_naive": ("Gain on a naive estimate", "percent"),
    "better_than_linear": ("Gain on a linear model", "percent"),
    "better_than_untuned": ("Gain on LightGBM with default parameters", "percent"),
    "months_won": ("Months better than LightGBM with default parameters", "number"),
    "coverage": ("Prices inside their interval", "percent"),
    "confidence": ("Confidence, off by at most", "percent"),
    "coverage_month": ("… in the month furthest off", "percent"),
    "coverage_worth_decile": ("… in the tenth of worth furthest off", "percent"),
    "coverage_valued_decile": ("… in the tenth of value furthest off", "percent"),
    "coverage_location": ("… in the district furthest off", "percent"),
    "interval_width": ("Width against plain split-conformal", "ratio"),
    "noise_floor": ("Times the noise floor", "decimal"),
}
MODEL = "The model"
ESTIMATES = {
    "noise_floor": "Noise floor",
    "out_of_time": MODEL,
    "random_split": "The model, shuffled",
    "linear": "Linear model",
    "naive": "Naive estimate",
}


def headline(
    backtest: Mapping[str, Any], metrics: Mapping[str, Any], drift: Mapping[str, Any], quality: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The front page's cards, each with its verdict: use, accuracy, bands, intervals, drift, data quality."""
    verdicts = {verdict["name"]: verdict for verdict in metrics["verdicts"]}
    return [
        _in_use(backtest),
        _accuracy(metrics, verdicts),
        _bands([verdicts[name] for name in BANDS]),
        _intervals(metrics["intervals"], verdicts["coverage"]),
        _drift(drift),
        _quality(quality),
    ]


def conclusion(metrics: Mapping[str, Any]) -> str:
    """Sentences on the model's accuracy, compared with the naive estimate and the noise floor."""
    model, naive, floor = (metrics[name]["mdape"] for name in ("out_of_time", "naive", "noise_floor"))
    compared = f"{naive / model:.1f} times as far off" if naive > model else "closer than the model"
    limit = f"; no model could go below about {text(floor, 'percent')}, {FLOORS[metrics['noise_floor']['basis']]}"
    return (
        f"Half of the valuations are within {text(model, 'percent')} of the price paid, "
        f"and {text(metrics['out_of_time']['ppe10'], 'percent0')} are within 10\u202f%. "
        f"The median of similar sales nearby is {compared} ({text(naive, 'percent')}){limit if floor else ''}."
    )


def summary(cards: Sequence[Mapping[str, Any]]) -> str:
    """How many of the headline verdicts hold, and which do not."""
    failing = [card["label"].lower() for card in cards if card["ok"] is False]
    watched = [card["label"].lower() for card in cards if card["ok"] == "watch"]
    holding = len(cards) - len(failing) - len(watched)
    count = f"All {holding}" if holding == len(cards) else f"{holding} of {len(cards)}"
    sentences = [f"{count} verdicts hold."]
    sentences += [f"Failing: {listed(failing)}."] if failing else []
    sentences += [f"To watch: {listed(watched)}."] if watched else []
    return " ".join(sentences)


def shift_sentences(metrics: Mapping[str, Any], drift: Mapping[str, Any]) -> list[str]:
    """The districts whose prices shifted, and interval coverage with and without them; empty if none shifted."""
    changes = {location["location"]: location["change"] for location in drift["locations"]}
    shifted = drift["shifted_locations"]
    if not shifted:
        return []
    districts = listed([f"{name} ({text(changes[name], 'change')})" for name in shifted])
    everywhere, steady = metrics["intervals"], metrics["steady"]["intervals"]
    return [
        f"Since {drift['current']['months'][0]}, prices in {districts} moved apart from the city’s.",
        f"With these sales {text(everywhere['coverage'], 'percent')} of prices lie inside their interval; "
        f"without them {text(steady['coverage'], 'percent')}. {text(everywhere['level'], 'percent0')} is promised.",
    ]


def verdict_table(verdicts: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per verdict: measure, value, limits, interval (texts), verdict (True, False or None), meaning."""
    rows = []
    for verdict in verdicts:
        name, how = MEASURES.get(verdict["name"], (verdict["name"], "ratio"))
        rows.append(
            {
                "measure": name,
                "value": text(verdict["value"], how),
                "limits": span(verdict["low"], verdict["high"], how),
                "interval": span(*verdict["interval"], how),
                "verdict": verdict["ok"],
                "meaning": verdict["text"],
            }
        )
    return pd.DataFrame(rows).astype({"verdict": object})


def errors(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The typical error of the model beside baselines and noise floor, by name, smallest first."""
    found = {title: metrics[name]["mdape"] for name, title in ESTIMATES.items()}
    return dict(sorted(((title, error) for title, error in found.items() if error), key=lambda item: item[1]))


def span(low: float | None, high: float | None, how: str) -> str:
    """A range of values; one without a lower or upper end names the other, one without any is a dash."""
    if low is None or high is None:
        return MISSING if low is high else f"at most {text(high, how)}" if low is None else f"at least {text(low, how)}"
    return f"{text(low, how)}\u00a0to\u00a0{text(high, how)}"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence lists them: A, B and C."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _in_use(backtest: Mapping[str, Any]) -> dict[str, Any]:
    """The backtest's card; ok if the model beat every baseline, and LightGBM in most months."""
    verdicts = {verdict["name"]: verdict["ok"] for verdict in backtest["verdicts"]}
    beaten = all(ok for name, ok in verdicts.items() if name.startswith(BASELINE)) and verdicts["months_won"]
    won, (model, untuned) = backtest["months_won"], (backtest["pooled"][name] for name in ("model", "untuned"))
    return {
        "label": f"Backtest, last {won['of']} months",
        "value": text(model["mdape"], "percent"),
        "note": f"typical error; closer than LightGBM with default parameters ({text(untuned['mdape'], 'percent')}) "
        f"in {won['won']} months",
        "ok": bool(beaten),
        "word": "Beats the baselines" if beaten else "No better than a baseline",
    }


def _accuracy(metrics: Mapping[str, Any], verdicts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    beaten = all(verdict["ok"] for name, verdict in verdicts.items() if name.startswith(BASELINE))
    far = verdicts["noise_floor"]["ok"] is False
    linear, naive, floor = (text(metrics[name]["mdape"], "percent") for name in ("linear", "naive", "noise_floor"))
    return {
        "label": "Typical error",
        "value": text(metrics["out_of_time"]["mdape"], "percent"),
        "note": f"on {text(metrics['out_of_time']['n'])} later sales; "
        f"linear model {linear}, naive {naive}, floor {floor}",
        "ok": "watch" if beaten and far else beaten,
        "word": "No better than a baseline" if not beaten else "Far from the floor" if far else "Beats baselines",
    }


def _bands(verdicts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    outside = [MEASURES[verdict["name"]][0] for verdict in verdicts if verdict["ok"] is False]
    unknown = any(verdict["ok"] is None for verdict in verdicts)
    return {
        "label": "Assessors’ bands",
        "value": f"{sum(bool(verdict['ok']) for verdict in verdicts)} of {len(verdicts)}",
        "note": f"outside: {listed(outside)}" if outside else "level, uniformity and equity keep the standard",
        "ok": False if outside else "watch" if unknown else True,
        "word": "Outside a band" if outside else "Too few sales" if unknown else "Within",
    }


def _intervals(intervals: Mapping[str, Any], verdict: Mapping[str, Any]) -> dict[str, Any]:
    wrong = "Too narrow" if intervals["coverage"] < intervals["level"] else "Too wide"
    return {
        "label": "Price intervals",
        "value": text(intervals["coverage"], "percent"),
        "note": f"of prices lie inside; {text(intervals['level'], 'percent0')} is promised, and an interval "
        f"is {text(intervals['mean_relative_width'], 'percent0')} of the price wide",
        "ok": bool(verdict["ok"]),
        "word": "As promised" if verdict["ok"] else wrong,
    }


def _drift(drift: Mapping[str, Any]) -> dict[str, Any]:
    moved = [column["column"] for column in drift["columns"] if column["drifted"]]
    places = len(drift["shifted_locations"])
    where = f"in {places} location{'s' if places > 1 else ''}" if places else "nowhere"
    return {
        "label": "Drift",
        "value": f"{len(moved)} of {len(drift['columns'])}",
        "note": f"watched attributes moved; prices moved apart from the city’s {where}",
        "ok": not drift["drifted"],
        "word": "Drifted" if drift["drifted"] else "Stable",
    }


def _quality(quality: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "label": "Data quality",
        "value": text(quality["share"], "percent"),
        "note": f"of {text(quality['rows'])} rows set aside; the limit is {text(quality['limit'], 'percent0')}",
        "ok": bool(quality["ok"]),
        "word": "Within the limit" if quality["ok"] else "Over the limit",
    }
