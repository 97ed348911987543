"""Options of each mapped column, and questions where the values allow several."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from homei.config.feeds import Feed
from homei.onboarding.column_traits import ColumnTraits
from homei.onboarding.draft import Answers, Question
from homei.onboarding.number_notation import weighted_quantile
from homei.onboarding.words import METRIC_LANGUAGE, SQUARE_FEET, SQUARE_METRES, contains
from homei.validation.coordinate_texts import DIRECTIONS
from homei.validation.numbers import has_multiplier

OPTION_KEYS = (
    "format",
    "timezone",
    "utc",
    "pivot",
    "serial",
    "unit",
    "decimal",
    "thousands",
    "factor",
    "band",
    "missing",
)
# Medians that a column can have; they tell 450.000 the price from 450.000 the number with three decimals.
PLAUSIBLE = {"price": (1_000, 1e9), "square_meters": (8, 20_000), "year_built": (1500, 2100), "latitude": (-90, 90),
             "longitude": (-180, 180), "bedrooms": (0, 30), "bathrooms": (0, 30), "floor": (-6, 150)}  # fmt: skip
SMALLEST_PRICE = 1_000  # a median below it is in thousands or more
FACTORS = {  # "mil" is a thousand or a million, by language
    "million, millions, mio, mln, mn, mkr, msek, mnok, 百万, 백만, млн": 1_000_000,
    "crore, crores, 千万, 천만": 10_000_000,
    "k, in k, k€, k$, k£, thousand, thousands, 000, 000s, $000, £000, €000, in 000, tsd, teur, keur, k eur, k usd, "
    "mille, tys, tis, tkr, tsek, tnok, tdkk, tchf, 千, 천원, тыс": 1_000,
    "lakh, lakhs, lac, lacs": 100_000,
    "億, 亿, 억": 100_000_000,
    "万, 萬, 만": 10_000,
}
OTHER_UNITS = {
    "acres": "acre, acres", "hectares": "hectare, hectares, ha", "tsubo": "tsubo, ping, pyeong, 坪, 평",
    "square_yards": "sq yd, sq yds, sq yard, sq yards, square yard, square yards, sqyd, sqyds, gaj",
}  # fmt: skip
# A median area below the first is in square metres, above the second in square feet; dwellings lie in neither else.
LARGEST_IN_METRES, SMALLEST_IN_FEET = 220, 450
# Values of a column that stand for an unknown one, if they occur more than once in 500 rows.
CODES = {"year_built": lambda value: not 1200 <= value <= 2100, "square_meters": lambda value: value <= 0,
         "bedrooms": lambda value: value < 0 or value >= 99, "bathrooms": lambda value: value < 0 or value >= 99,
         "floor": lambda value: value <= -99 or value >= 999}  # fmt: skip
DEFAULT_MISSING = tuple(Feed.model_fields["missing"].default)


class OptionsGuess(NamedTuple):
    """The options of a column, the reason for them, a doubt (empty without one), and questions."""

    options: dict[str, Any]
    reason: str = ""
    doubt: str = ""
    questions: list[Question] = []


def options_of(role: str, traits: ColumnTraits, answers: Answers) -> OptionsGuess:
    """The guess of a column's options, with the user's answers in place of guesses and questions."""
    if role == "sale_date":
        guess = _date_options(role, traits)
    elif role in PLAUSIBLE:
        guess = _number_options(role, traits)
    else:
        guess = _text_options(role, traits)
    for key in OPTION_KEYS:
        if (answer := answers.get(f"{role}.{key}")) is not None:
            options = _with_answer(traits, guess.options, key, answer)
            questions = [question for question in guess.questions if question.key != f"{role}.{key}"]
            guess = OptionsGuess(options, f"{key} as given", "", questions)
    return guess


def missing_option(codes: list[str]) -> dict[str, Any]:
    """The key `missing` for codes beyond the default ones."""
    extra = [code for code in codes if code.casefold() not in {default.casefold() for default in DEFAULT_MISSING}]
    return {"missing": [*DEFAULT_MISSING, *extra]} if extra else {}


def _date_options(role: str, traits: ColumnTraits) -> OptionsGuess:
    dates = traits.dates
    if dates is None:
        return OptionsGuess({}, "", "few of its cells are dates: declare its format")
    options = {**dates.options, **missing_option(dates.missing)}
    examples = " and ".join(traits.profile.examples())
    questions = []
    if dates.rivals:
        choices = tuple(str(each.get("format", "ISO 8601")) for each in (dates.options, *dates.rivals))
        questions.append(Question(f"{role}.format", f"{examples}: which part is the day, which the month?", choices))
    if dates.instants:
        text = f"{dates.instants}: midnight in another zone? In which zone are they days?"
        questions.append(Question(f"{role}.timezone", text, ("Europe/Berlin", "UTC")))
    if options.get("serial") is True and "format" not in options and not traits.is_excel:
        text = f"{examples} are day numbers: does the workbook they come from count from 1900 (Windows) or 1904 (Mac)?"
        questions.append(Question(f"{role}.serial", text, ("1900", "1904")))
    doubt = f"{1 - dates.share:.1%} of its cells are no dates" if dates.share < 1 else ""
    return OptionsGuess(options, f"{dates.share:.0%} are dates", doubt, questions)


def _number_options(role: str, traits: ColumnTraits) -> OptionsGuess:
    numbers = traits.numbers
    if numbers is None and role in DIRECTIONS:
        return OptionsGuess({}, "degrees with minutes and seconds")
    if numbers is None:
        return OptionsGuess({}, "", "few of its cells are numbers: declare decimal, thousands or band")
    options, questions, reason = dict(numbers.options), [], f"{numbers.share:.0%} are numbers"
    if numbers.rival is not None and numbers.rival_values is not None:
        rival_median = weighted_quantile(numbers.rival_values, numbers.counts, 0.5)
        low, high = PLAUSIBLE[role]
        if not low <= numbers.median <= high and low <= rival_median <= high:
            numbers = replace(numbers, options=numbers.rival, values=numbers.rival_values)
            options = dict(numbers.options)
        else:
            example = traits.profile.values[0]
            text = (
                f"{example}: is the separator a decimal mark ({numbers.median:g}) or of thousands ({rival_median:g})?"
            )
            questions.append(Question(f"{role}.decimal", text, (".", ",")))
    is_code = CODES.get(role, lambda value: False)
    n_enough = max(2, traits.profile.n_rows / 500)
    codes = [
        cell for cell, count in zip(traits.profile.values, traits.profile.counts, strict=True)
        if count >= n_enough and cell.lstrip("-").replace(".", "", 1).isdigit() and is_code(float(cell))
    ]  # fmt: skip
    options |= missing_option([*numbers.missing, *codes])
    doubt = f"{1 - numbers.share:.1%} of its cells are no numbers" if numbers.share < 1 else ""
    if role == "price" and numbers.n_distinct == 1:
        doubt = "all prices are equal: there is nothing to learn from"
    if codes:
        doubt = f"{', '.join(codes)} counts as unknown"
    if role == "square_meters" and "unit" not in options:
        unit, why, question = _area_unit(traits.name, numbers.median)
        options |= {"unit": unit} if unit != "square_meters" else {}
        questions += question
        reason += f"; {why}" if why else ""
    if role == "price" and not any(map(has_multiplier, traits.profile.values[:50])):
        factor, question = _price_factor(traits.name, numbers.median)
        options |= {"factor": factor} if factor else {}
        questions += question
        reason += f"; the name says {factor:,}" if factor else ""
    return OptionsGuess(options, reason, doubt, questions)


def _price_factor(name: str, median: float) -> tuple[int | None, list[Question]]:
    """What prices are multiplied by, if the name says it; a question if it does not."""
    for phrase_list, factor in FACTORS.items():
        if contains(name, phrase_list) or any(sign in name for sign in phrase_list.split(", ") if not sign.isascii()):
            return factor, []
    if median >= SMALLEST_PRICE:
        return None, []
    text = f"the median of {name!r} is {median:g}: what must prices be multiplied by?"
    return None, [Question("price.factor", text, ("1000", "1000000", "1"))]


def _area_unit(name: str, median: float) -> tuple[str, str, list[Question]]:
    """The unit of an area, the reason, and a question if neither the name nor the values tell it."""
    for other, phrase_list in OTHER_UNITS.items():
        if contains(name, phrase_list) or any(sign in name for sign in phrase_list.split(", ") if not sign.isascii()):
            return other, "the name has the unit", []
    if contains(name, SQUARE_FEET) or "sqft" in name.casefold().replace("_", "").replace(" ", ""):
        return "square_feet", "the name has the unit", []
    if contains(name, SQUARE_METRES) or "sqm" in name.casefold().replace("_", ""):
        return "square_meters", "the name has the unit", []
    if contains(name, METRIC_LANGUAGE) and median < SMALLEST_IN_FEET:
        return "square_meters", "square metres, as its language uses", []
    if median < LARGEST_IN_METRES:
        return "square_meters", f"square metres, since the median is {median:g}", []
    if median > SMALLEST_IN_FEET:
        return "square_feet", f"square feet, since the median is {median:g}", []
    text = f"{name}: its median is {median:g}: square feet or square metres?"
    return "square_meters", "", [Question("square_meters.unit", text, ("square_feet", "square_meters"))]


def _text_options(role: str, traits: ColumnTraits) -> OptionsGuess:
    defaults = {default.casefold() for default in DEFAULT_MISSING}
    profile = traits.profile
    codes = {
        cell: int(count)
        for cell, count in zip(profile.values, profile.counts, strict=True)
        if cell.casefold() in defaults
    }
    if not codes or role not in ("location", "property_type"):
        return OptionsGuess({})
    written, n_rows = ", ".join(codes), sum(codes.values())
    text = f"{n_rows:,} cells of {profile.name!r} are {written}: is that a {role.replace('_', ' ')}, or unknown?"
    if n_rows < max(2, profile.n_rows / 500):
        return OptionsGuess({}, "", f"{n_rows} cells are {written}: unknown")
    return OptionsGuess({}, "", "", [Question(f"{role}.missing", text, ("none", written))])


def _with_answer(traits: ColumnTraits, options: dict[str, Any], key: str, answer: str) -> dict[str, Any]:
    """The options after an answer; `decimal` also sets the thousands separator that goes with it."""
    if key == "missing":
        codes = [] if answer.casefold() in ("none", "") else [code.strip() for code in answer.split(",")]
        return {**options, "missing": codes}
    if key == "decimal":
        numbers = traits.numbers
        readings = [] if numbers is None else [numbers.options, numbers.rival or {}]
        separators = next((each for each in readings if each.get("decimal", ".") == answer), {})
        separators = {"decimal": answer, **separators}
        return {name: value for name, value in options.items() if name not in ("decimal", "thousands")} | separators
    if key == "unit" and answer == "square_meters":
        return {name: value for name, value in options.items() if name != "unit"}
    if key == "format" and answer == "ISO 8601":
        return {name: value for name, value in options.items() if name != "format"}
    if key == "timezone" and traits.dates is not None and "without an offset" in traits.dates.instants:
        return {**options, "timezone": answer, "utc": True}
    if key == "factor" and answer == "1":
        return {name: value for name, value in options.items() if name != "factor"}
    if key in ("pivot", "serial", "factor", "utc"):
        return {**options, key: int(answer) if answer.isdigit() else answer == "true"}
    return {**options, key: answer}
