"""Guess of a whole city from its tables: feeds, lookups, places and facts of the city."""

from __future__ import annotations

import calendar
import datetime
import re
from collections.abc import Sequence

import numpy as np

from homei.config.city import currency_units
from homei.config.columns import Column
from homei.ingestion.mapping import mapped
from homei.onboarding.contract_guess import guess_contract, numbers_of, price_ratios
from homei.onboarding.coordinates_guess import guess_coordinates
from homei.onboarding.draft import Answers, CityDraft, FeedDraft, Guess, OnboardingError, Question
from homei.onboarding.feed_guess import guess_feed, is_sales
from homei.onboarding.input_tables import InputTable, by_file
from homei.onboarding.number_notation import currencies_of
from homei.onboarding.other_files import guess_lookup, guess_places
from homei.onboarding.profiles import profile
from homei.onboarding.words import NAMES, contains
from homei.validation.dates import date

CURRENCY_COLUMNS = "currency, currency code, wahrung, devise, moneda, waluta, moeda, valuta"
# Prices below it, in euros per square metre, are rare; those in thousands of a currency are far below.
LOWEST_PER_SQUARE_METER = 20
TEN_TO_A_EURO = {"CNY", "DKK", "HKD", "MAD", "NOK", "SEK", "ZAR"}
GAP_MONTHS = 12  # a few dates this far after all others are slips


def guess_city(name: str, tables: Sequence[InputTable], answers: Answers) -> CityDraft:
    """The draft of a city's configuration; raises OnboardingError if no table has prices and dates."""
    for role in NAMES:
        column = answers.get(role)
        if column and not any(column in table.traits for table in tables):
            raise OnboardingError(f"--set {role}={column}: no file has this column. {_columns(tables)}")
    sales = [table for table in tables if is_sales(table, answers)]
    if not sales:
        raise OnboardingError(_no_sales(tables))
    draft = CityDraft({}, {}, [])
    pairs = []
    for table in sales:
        feed, questions, notes = guess_feed(table, answers)
        draft.questions += [question for question in questions if question not in draft.questions]
        draft.notes += notes
        draft.feeds.append(feed)
        pairs.append((feed, table))
    _name_uniquely(draft.feeds)
    _add_other_files(draft, pairs, [one for table in tables if table not in sales for one in by_file(table)])
    kinds = _attribute_kinds(draft)
    _guess_facts(name, draft, pairs, answers)
    if draft.places and not any("latitude" in feed.columns for feed in draft.feeds):
        draft.notes.append("files of places are not used: the sales have no coordinates")
        draft.places.clear()
    attributes = {kind: [name for name in kinds if kinds[name] == kind] for kind in ("numeric", "categorical")}
    draft.city["attributes"] = Guess("attributes", attributes, "other columns that the model should use")
    if draft.places:
        draft.city["place_kinds"] = Guess(
            "place_kinds", list(dict.fromkeys(guess.value["kind"] for guess in draft.places))
        )
    if any(len({*_texts(table, feed, "property_type")}) > 1 for feed, table in pairs):
        groups = [{"name": "property_type", "column": "property_type"}]
        draft.city["groups"] = Guess("groups", groups, "groups of the fairness study")
    draft.contract = guess_contract(pairs, draft.city["as_of"].value)
    return draft


def _no_sales(tables: Sequence[InputTable]) -> str:
    return (
        "no file has a column of prices and one of dates that init recognises. Name them: "
        f"--set price=COLUMN --set sale_date=COLUMN. {_columns(tables)}"
    )


def _columns(tables: Sequence[InputTable]) -> str:
    lines = [f"{table.name}: {', '.join(map(repr, table.traits))}" for table in tables]
    return "\n".join(["The columns are:", *lines])


def _name_uniquely(feeds: Sequence[FeedDraft]) -> None:
    names: list[str] = []
    for feed in feeds:
        base, number = feed.name, 2
        while feed.name in names:
            feed.name, number = f"{base}_{number}", number + 1
        names.append(feed.name)


def _add_other_files(
    draft: CityDraft, pairs: Sequence[tuple[FeedDraft, InputTable]], others: Sequence[InputTable]
) -> None:
    for other in others:
        lookups = [guess_lookup(table, other, [*feed.columns]) for feed, table in pairs]
        if any(lookups):
            for (feed, _), lookup in zip(pairs, lookups, strict=True):
                if lookup is not None and feed.lookup is None:
                    feed.lookup, feed.columns = lookup.declaration, {**feed.columns, **lookup.columns}
        elif (places := guess_places(other)) is not None:
            draft.places.append(Guess(places["kind"], places, "points of interest", (), ""))
        else:
            names = ", ".join(path.name for path in other.paths) or other.name
            draft.notes.append(f"{names}: not used: it has no sales, no key of the sales and no places")


def _attribute_kinds(draft: CityDraft) -> dict[str, str]:
    """The kind of each attribute; one that two feeds have as different kinds stays with the first."""
    kinds: dict[str, str] = {}
    for feed in draft.feeds:
        for name, kind in feed.attributes.items():
            if kinds.setdefault(name, kind) != kind:
                del feed.columns[name]
                draft.notes.append(f"{feed.name}: {name!r} is not mapped: it is {kinds[name]} in another feed")
    return kinds


def _guess_facts(name: str, draft: CityDraft, pairs: Sequence[tuple[FeedDraft, InputTable]], answers: Answers) -> None:
    """The city's name, title, currency, date of valuation, folder and coordinates."""
    draft.city["name"] = Guess("name", name)
    draft.city["title"] = Guess("title", answers.get("title") or name.replace("_", " ").title())
    draft.city["currency"] = _currency(draft, pairs, answers)
    draft.city["as_of"] = _as_of(pairs, answers)
    if answers.get("price.factor") is None:
        draft.questions += _price_questions(draft, pairs)
    draft.city["folder"] = Guess("folder", f"data/external/{name}", "where init has copied the files")
    coordinates, questions = guess_coordinates(pairs, numbers_of, answers)
    draft.city["coordinates"] = coordinates
    draft.questions += questions


def _currency(draft: CityDraft, pairs: Sequence[tuple[FeedDraft, InputTable]], answers: Answers) -> Guess:
    if (answer := answers.get("currency")) is not None:
        if not re.fullmatch("[A-Z]{3}", answer):
            raise OnboardingError(f"--currency {answer}: must be a code of three letters, such as USD or EUR")
        return Guess("currency", answer, "as given")
    shared: tuple[str, ...] = ()
    for feed, table in pairs:
        for name, traits in table.traits.items():
            codes = {code for value in traits.profile.values[:2] for code in currencies_of(value)}
            if contains(name, CURRENCY_COLUMNS) and traits.n_distinct == len(codes) == 1:
                return Guess("currency", *codes, f"the only value of {name!r}")
        value = feed.columns["price"].value
        name = value if isinstance(value, str) else value.get("column", "")
        numbers = table.traits[name].numbers if name in table.traits else None
        for codes in ((numbers.currencies if numbers else ()), currencies_of(name.replace("_", " "))):
            if len(codes) == 1:
                return Guess("currency", codes[0], f"by its sign or code in {name!r}")
            shared = shared or codes
    draft.questions.append(
        Question("currency", "in which currency are the prices (a code such as USD or EUR)?", shared[:4])
    )
    return Guess("currency", None)


def _price_questions(draft: CityDraft, pairs: Sequence[tuple[FeedDraft, InputTable]]) -> list[Question]:
    """A question if prices per square metre are so low that they may be in thousands or more."""
    currency = draft.city["currency"].value or ""
    lowest = LOWEST_PER_SQUARE_METER * max(currency_units(currency), 10 if currency in TEN_TO_A_EURO else 1)
    questions = []
    for feed, table in pairs:
        ratios = price_ratios(feed, table)
        if any(question.key == "price.factor" for question in draft.questions) or not len(ratios):
            continue
        if (median := float(np.median(ratios))) < lowest:
            text = f"{feed.name}: the median price is {median:.3g} {currency} per square metre"
            question = Question("price.factor", f"{text}: what must prices be multiplied by?", ("1000", "1000000", "1"))
            questions.append(question)
    return questions[:1]


def _as_of(pairs: Sequence[tuple[FeedDraft, InputTable]], answers: Answers) -> Guess:
    """The last day of the last month with sales, unless a few dates lie far after all others."""
    if (answer := answers.get("as_of")) is not None:
        try:
            return Guess("as_of", datetime.date.fromisoformat(answer), "as given")
        except ValueError as error:
            raise OnboardingError(f"--as-of {answer}: must be a date such as 2025-06-30") from error
    dates, counts, is_quarter = [], [], False
    for feed, table in pairs:
        declared = Column.model_validate(feed.columns["sale_date"].value)
        is_quarter = is_quarter or declared.format == "quarter"
        column = profile("sale_date", mapped(table.sheet, {"sale_date": declared})["sale_date"])
        for value, count in zip(column.values, column.counts, strict=True):
            if (day := date(value, declared)) is not None:
                dates.append(day)
                counts.append(count)
    if not dates:
        raise OnboardingError("no date can be read: declare its format with --set sale_date.format=…")
    months = np.array(dates, dtype="datetime64[M]").astype(int)
    order = np.argsort(months)
    months, cumulated = months[order], np.cumsum(np.array(counts)[order])
    last, doubt = months[-1], ""
    for position in np.flatnonzero(np.diff(months) > GAP_MONTHS)[::-1]:
        if cumulated[-1] - cumulated[position] <= 0.01 * cumulated[-1]:
            last = months[position]
            doubt = f"{cumulated[-1] - cumulated[position]} later dates count as slips"
    last += 2 if is_quarter else 0
    year, month = 1970 + int(last) // 12, int(last) % 12 + 1
    day = datetime.date(year, month, calendar.monthrange(year, month)[1])
    return Guess("as_of", day, "the end of the last month with sales", (), doubt)


def _texts(table: InputTable, feed: FeedDraft, name: str) -> list[str]:
    value = feed.columns[name].value
    column = value if isinstance(value, str) else value.get("column")
    return table.traits[column].profile.values if column else []
