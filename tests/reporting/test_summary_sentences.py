import pytest

from homei.reporting import summary_sentences


def labels(cards, ok):
    return [card.label for card in cards if card.ok is ok]


def test_good_numbers_read_as_good(backtest, metrics, drift, quality):
    cards = summary_sentences.headline(backtest, metrics, drift, quality)
    assert [card.ok for card in cards] == [True] * 6
    assert summary_sentences.summary(cards) == "All 6 verdicts hold."


def fail(metrics, name, ok=False):
    next(verdict for verdict in metrics["verdicts"] if verdict["name"] == name)["ok"] = ok


@pytest.mark.parametrize(
    ("spoil", "label"),
    [
        (lambda metrics, drift, quality: fail(metrics, "better_than_linear"), "Typical error"),
        (lambda metrics, drift, quality: fail(metrics, "cod"), "Assessors’ bands"),
        (lambda metrics, drift, quality: fail(metrics, "coverage"), "Price intervals"),
        (lambda metrics, drift, quality: drift.update(drifted=True), "Drift"),
        (lambda metrics, drift, quality: quality.update(ok=False), "Data quality"),
    ],
)
def test_a_failing_verdict_reads_as_failing(backtest, metrics, drift, quality, spoil, label):
    spoil(metrics, drift, quality)
    cards = summary_sentences.headline(backtest, metrics, drift, quality)
    assert labels(cards, False) == [label]
    assert summary_sentences.summary(cards) == f"5 of 6 verdicts hold. Failing: {label.lower()}."


def test_a_baseline_that_is_as_close_in_use_reads_as_failing(backtest, metrics, drift, quality):
    fail(backtest, "months_won")
    card = summary_sentences.headline(backtest, metrics, drift, quality)[0]
    assert (card.label, card.ok, card.word) == ("Backtest, last 12 months", False, "No better than a baseline")


@pytest.mark.parametrize(
    ("name", "ok", "label"), [("noise_floor", False, "typical error"), ("prb", None, "assessors’ bands")]
)
def test_unknown_and_borderline_verdicts_are_to_be_watched(backtest, metrics, drift, quality, name, ok, label):
    fail(metrics, name, ok)
    summary = summary_sentences.summary(summary_sentences.headline(backtest, metrics, drift, quality))
    assert summary == f"5 of 6 verdicts hold. To watch: {label}."


def test_an_unknown_noise_floor_is_left_out(backtest, metrics, drift, quality):
    metrics["noise_floor"]["mdape"] = None
    assert "Noise floor" not in summary_sentences.errors(metrics)
    assert summary_sentences.conclusion(metrics).endswith("(8.1\u202f%).")
    assert "floor" not in summary_sentences.headline(backtest, metrics, drift, quality)[1].note


def test_the_conclusion_follows_the_numbers(metrics):
    assert "within 3.1\u202f% of the price paid" in summary_sentences.conclusion(metrics)
    assert "2.6 times as far off" in summary_sentences.conclusion(metrics)
    metrics["naive"]["mdape"] = 0.02
    assert "closer than the model" in summary_sentences.conclusion(metrics)


def test_a_measure_outside_its_band_is_named(backtest, metrics, drift, quality):
    fail(metrics, "cod")
    assert "Uniformity (COD)" in summary_sentences.headline(backtest, metrics, drift, quality)[2].note


def test_shifted_districts_are_named_and_coverage_is_given_with_and_without_them(metrics, drift):
    drift["locations"] = [{"location": "Ironhaven", "change": -0.15}, {"location": "Elderholt", "change": 0.01}]
    drift["shifted_locations"] = ["Ironhaven"]
    metrics["intervals"]["coverage"], metrics["steady"]["intervals"]["coverage"] = 0.86, 0.901
    named, coverage = summary_sentences.shift_sentences(metrics, drift)
    assert named.startswith("Since 2025-07, prices in Ironhaven (")
    assert "Elderholt" not in named
    assert "86.0\u202f%" in coverage
    assert "90.1\u202f%" in coverage


def test_without_a_shift_there_is_no_sentence(metrics, drift):
    drift["shifted_locations"] = []
    assert summary_sentences.shift_sentences(metrics, drift) == []
