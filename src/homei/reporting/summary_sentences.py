"""Verdicts and sentences of the front page, made from the measured values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from homei.reporting.accuracy_views import STUDIES, VERDICTS
from homei.reporting.html_page import Card
from homei.reporting.number_formats import listed, text

# By the basis of the noise floor.
FLOORS = {
    "known noise": "the noise in the prices themselves",
    "twins": "because similar properties differ in price",
}
BANDS = ("median_ratio", "cod", "prd", "prb", "mki", "vei")
UNTUNED = "LightGBM with default parameters"


def headline(
    backtest: Mapping[str, Any], metrics: Mapping[str, Any], drift: Mapping[str, Any], quality: Mapping[str, Any]
) -> list[Card]:
    """The front page's verdicts: backtest, error, bands, intervals, drift and data quality."""
    return [
        _backtest(backtest),
        _error(metrics),
        _bands(metrics),
        _intervals(metrics),
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


def summary(cards: Sequence[Card]) -> str:
    """How many of the headline verdicts hold, and which do not."""
    failing = [card.label.lower() for card in cards if card.ok is False]
    watched = [card.label.lower() for card in cards if card.ok == "watch"]
    n_holding = len(cards) - len(failing) - len(watched)
    sentences = [f"{f'All {n_holding}' if n_holding == len(cards) else f'{n_holding} of {len(cards)}'} verdicts hold."]
    sentences += [f"Failing: {listed(failing)}."] if failing else []
    sentences += [f"To watch: {listed(watched)}."] if watched else []
    return " ".join(sentences)


def shift_sentences(metrics: Mapping[str, Any], drift: Mapping[str, Any]) -> list[str]:
    """The locations whose prices shifted, and coverage with and without them; empty if none shifted."""
    changes = {location["location"]: location["change"] for location in drift["locations"]}
    shifted = [f"{name} ({text(changes[name], 'change')})" for name in drift["shifted_locations"]]
    if not shifted:
        return []
    everywhere, steady = metrics["intervals"], metrics["steady"]["intervals"]
    return [
        f"Since {drift['current']['months'][0]}, prices in {listed(shifted)} moved apart from the city’s.",
        f"With these sales {text(everywhere['coverage'], 'percent')} of prices lie inside their interval; "
        f"without them {text(steady['coverage'], 'percent')}. {text(everywhere['level'], 'percent0')} is promised.",
    ]


def errors(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The median error of the model, the baselines and the noise floor by title, smallest first."""
    by_title = {title: metrics[name]["mdape"] for name, title in STUDIES.items() if metrics[name]["mdape"]}
    return dict(sorted(by_title.items(), key=lambda item: item[1]))


def _verdicts(metrics: Mapping[str, Any]) -> dict[str, bool | None]:
    return {verdict["name"]: verdict["ok"] for verdict in metrics["verdicts"]}


def _beats_baselines(verdicts: Mapping[str, bool | None]) -> bool:
    return all(ok for name, ok in verdicts.items() if name.startswith("better_than_"))


def _backtest(backtest: Mapping[str, Any]) -> Card:
    """The backtest's verdict: the model beats every baseline, and LightGBM in most months."""
    verdicts, won = _verdicts(backtest), backtest["months_won"]
    is_best = bool(_beats_baselines(verdicts) and verdicts["months_won"])
    error, untuned = (text(backtest["pooled"][name]["mdape"], "percent") for name in ("model", "untuned"))
    note = f"typical error; closer than {UNTUNED} ({untuned}) in {won['won']} months"
    word = "Beats the baselines" if is_best else "No better than a baseline"
    return Card(f"Backtest, last {won['of']} months", error, note, is_best, word)


def _error(metrics: Mapping[str, Any]) -> Card:
    verdicts = _verdicts(metrics)
    is_best, is_far = _beats_baselines(verdicts), verdicts["noise_floor"] is False
    linear, naive = (text(metrics[name]["mdape"], "percent") for name in ("linear", "naive"))
    study, floor = metrics["out_of_time"], metrics["noise_floor"]["mdape"]
    note = f"on {text(study['n'])} later sales; linear model {linear}, naive {naive}"
    note += f", floor {text(floor, 'percent')}" if floor else ""
    ok = "watch" if is_best and is_far else is_best
    word = "No better than a baseline" if not is_best else "Far from the floor" if is_far else "Beats baselines"
    return Card("Typical error", text(study["mdape"], "percent"), note, ok, word)


def _bands(metrics: Mapping[str, Any]) -> Card:
    verdicts = {name: _verdicts(metrics)[name] for name in BANDS}
    outside = [VERDICTS[name][0] for name, ok in verdicts.items() if ok is False]
    is_unknown = None in verdicts.values()
    value = f"{sum(map(bool, verdicts.values()))} of {len(BANDS)}"
    note = f"outside: {listed(outside)}" if outside else "level, uniformity and equity keep the standard"
    word = "Outside a band" if outside else "Too few sales" if is_unknown else "Within"
    return Card("Assessors’ bands", value, note, False if outside else "watch" if is_unknown else True, word)


def _intervals(metrics: Mapping[str, Any]) -> Card:
    intervals, ok = metrics["intervals"], bool(_verdicts(metrics)["coverage"])
    note = (
        f"of prices lie inside; {text(intervals['level'], 'percent0')} is promised, and an interval "
        f"is {text(intervals['mean_relative_width'], 'percent0')} of the price wide"
    )
    wrong = "Too narrow" if intervals["coverage"] < intervals["level"] else "Too wide"
    return Card("Price intervals", text(intervals["coverage"], "percent"), note, ok, "As promised" if ok else wrong)


def _drift(drift: Mapping[str, Any]) -> Card:
    n_drifted, n_shifted = sum(column["drifted"] for column in drift["columns"]), len(drift["shifted_locations"])
    note = f"watched attributes drifted; prices shifted in {n_shifted or 'no'} location{'s' * (n_shifted > 1)}"
    word = "Drifted" if drift["drifted"] else "Stable"
    return Card("Drift", f"{n_drifted} of {len(drift['columns'])}", note, not drift["drifted"], word)


def _quality(quality: Mapping[str, Any]) -> Card:
    note = f"of {text(quality['rows'])} rows set aside; the limit is {text(quality['limit'], 'percent0')}"
    word = "Within the limit" if quality["ok"] else "Over the limit"
    return Card("Data quality", text(quality["share"], "percent"), note, bool(quality["ok"]), word)
