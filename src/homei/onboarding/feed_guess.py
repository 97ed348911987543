"""Guess of a feed of sales from one table: its columns and its other keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from homei.config.columns import Column
from homei.ingestion.mapping import source_columns
from homei.onboarding.attributes import first_numbers, guess_attributes
from homei.onboarding.column_options import options_of
from homei.onboarding.column_roles import Role, assign_roles, name_score
from homei.onboarding.draft import Answers, FeedDraft, Guess, Question
from homei.onboarding.input_tables import InputTable
from homei.onboarding.transactions import guess_settings, with_property_ids
from homei.onboarding.words import NAMES, PARTS, normalised, phrases
from homei.validation.coordinate_texts import DIRECTIONS, is_grid_reference

# Shapes of a point, with the patterns of its latitude and its longitude.
POINTS = {
    r"(SRID=\d+;)?POINT ?\(-?[\d.]+ -?[\d.]+\)": (r"\(\S+ (\S+)\)", r"\((\S+) \S+\)"),
    r"\(?-?\d{1,2}\.\d+, ?-?\d{1,3}\.\d+\)?": (r"(-?\d+\.\d+),", r", ?(-?\d+\.\d+)"),
}


def is_sales(table: InputTable, answers: Answers) -> bool:
    """Whether a table can be sales: it has prices and dates, or the user has named their columns."""
    roles, templates = _columns(table, answers)
    return {"price", "sale_date"} <= roles.keys() | templates.keys()


def guess_feed(table: InputTable, answers: Answers) -> tuple[FeedDraft, list[Question], list[str]]:
    """The draft of a feed, with questions and notes."""
    roles, templates = _columns(table, answers)
    questions: list[Question] = []
    columns: dict[str, Guess] = {}
    for role, chosen in roles.items():
        traits = table.traits[chosen.column]
        guess = options_of(role, traits, answers)
        questions += guess.questions
        reason = "; ".join(filter(None, (chosen.reason, guess.reason)))
        doubt = "; ".join(filter(None, (chosen.doubt, guess.doubt)))
        value: Any = {"column": chosen.column, **guess.options} if guess.options else chosen.column
        columns[role] = Guess(role, value, reason, tuple(traits.profile.examples()), doubt)
    columns |= templates
    _add_constants(columns, table)
    settings = guess_settings(table.cells, table.file_numbers, table.traits, roles, answers)
    used = {chosen.column for chosen in roles.values()} | _parts_of(templates)
    currency, prices = None, np.array([])
    if "price" in roles:
        numbers = table.traits[roles["price"].column].numbers
        currency = numbers.currencies[0] if numbers and numbers.currencies else None
        declared = Column.model_validate(columns["price"].value)
        prices = first_numbers(table.cells[roles["price"].column], declared, currency)
    used |= _excluding(settings)
    mappings, kinds, notes = guess_attributes(table.cells, table.traits, used, prices, answers.get("attributes"))
    columns |= {name: guess._replace(key=name) for name, guess in mappings.items()}
    notes += _empty_columns(table, columns)
    ordered = {role: columns[role] for role in (*NAMES, *kinds) if role in columns}
    feed = FeedDraft(table.name, {**_source(table), **settings}, ordered, kinds, table.n_rows, currency=currency)
    return feed, questions, [f"{table.name}: {note}" for note in notes]


def _columns(table: InputTable, answers: Answers) -> tuple[dict[str, Role], dict[str, Guess]]:
    """The roles of columns and the columns that templates make."""
    role_answers = {role: answer for role in NAMES if (answer := answers.get(role)) is not None}
    fixed = {role: column for role, column in role_answers.items() if not column or column in table.traits}
    roles = assign_roles(table.traits, fixed, table.has_names)
    if "transaction_id" not in fixed and "property_id" not in roles.keys() | fixed.keys():
        roles = with_property_ids(table.cells, roles)
    templates: dict[str, Guess] = {}
    if "sale_date" not in roles and "sale_date" not in fixed:
        templates |= _date_of_parts(table)
    if not {"latitude", "longitude"} & {*roles, *fixed}:
        templates |= _coordinates_of_points(table)
    if "address" not in fixed:
        templates |= _address_of_parts(table, roles)
    return {role: chosen for role, chosen in roles.items() if role not in templates}, templates


def _date_of_parts(table: InputTable) -> dict[str, Guess]:
    """A date from columns of year and month."""
    year, month = _part(table, "sale_year", (1900, 2100)), _part(table, "sale_month", (1, 12))
    if year is None or month is None:
        return {}
    value = {"template": f"{{{year}}}-{{{month}}}", "format": "%Y-%m"}
    first = [f"{table.cells[year][0]}-{table.cells[month][0]}"]
    return {"sale_date": Guess("sale_date", value, "from the columns of year and month", tuple(first))}


def _part(table: InputTable, part: str, limits: tuple[int, int]) -> str | None:
    """The column whose name means a part, and whose numbers lie within the limits."""
    for phrase in phrases(PARTS[part]):
        for name, traits in table.traits.items():
            numbers = traits.numbers
            if normalised(name) != phrase or numbers is None or not numbers.is_whole:
                continue
            if limits[0] <= numbers.quantile(0.0) and numbers.quantile(1.0) <= limits[1]:
                return name
    return None


def _coordinates_of_points(table: InputTable) -> dict[str, Guess]:
    """Latitude and longitude out of a column of points, such as POINT (13.4 52.5) or (52.5, 13.4)."""
    for name, traits in table.traits.items():
        if traits.n_distinct > 1 and traits.profile.share(is_grid_reference) > 0.9:
            examples = tuple(traits.profile.examples())
            return {axis: Guess(axis, name, "British grid references", examples) for axis in DIRECTIONS}
        for shape, patterns in POINTS.items():
            if traits.n_distinct > 1 and traits.profile.share(re.compile(shape).fullmatch) > 0.9:
                examples = tuple(traits.profile.examples())
                return {
                    axis: Guess(axis, {"column": name, "pattern": pattern}, "out of a column of points", examples)
                    for axis, pattern in zip(("latitude", "longitude"), patterns, strict=True)
                }
    return {}


def _address_of_parts(table: InputTable, roles: Mapping[str, Role]) -> dict[str, Guess]:
    """An address from house number and street, where there is no column with both."""
    chosen = roles.get("address")
    has_whole = chosen is not None and normalised(chosen.column) not in phrases(PARTS["street"])
    names = {normalised(name): name for name in table.traits}
    street = next((names[phrase] for phrase in phrases(PARTS["street"]) if phrase in names), None)
    number = next((names[phrase] for phrase in phrases(PARTS["house_number"]) if phrase in names), None)
    if has_whole or street is None or number is None or street == number:
        return {}
    if any(mark in name for name in (street, number) for mark in "{}[]:!."):
        return {}
    value = {"template": f"{{{number}}} {{{street}}}"}
    example = f"{table.traits[number].profile.values[0]} {table.traits[street].profile.values[0]}"
    return {"address": Guess("address", value, "house number and street", (example,))}


def _add_constants(columns: dict[str, Guess], table: InputTable) -> None:
    """One type and one location for all sales, where no column tells them."""
    for role, constant in (("property_type", "dwelling"), ("location", "city")):
        if role not in columns:
            columns[role] = Guess(role, {"constant": constant}, "no column is one", (), f"all sales have one {role}")


def _source(table: InputTable) -> dict[str, Guess]:
    """The keys that say where a feed's rows come from."""
    if table.connection is not None:
        settings = {key: Guess(key, value) for key, value in table.connection.items()}
        if "changed" in settings:
            doubt = "records that the source deletes are then noticed by `deleted` only, or by `homei fetch --again`"
            settings["changed"] = settings["changed"]._replace(reason="only newer records are read", doubt=doubt)
        return settings
    names = sorted(path.name for path in table.paths)
    settings = {"kind": Guess("kind", "files"), "files": Guess("files", names)}
    for key, value in table.format.options.items():
        settings[key] = Guess(key, value, table.format.reasons.get(key, ""), (), table.format.doubts.get(key, ""))
    for key, doubt in table.format.doubts.items():
        if key not in settings:
            settings[key] = Guess(key, None, table.format.reasons.get(key, ""), (), doubt)
    return settings


def _parts_of(templates: Mapping[str, Guess]) -> set[str]:
    return {
        part
        for guess in templates.values()
        for _, part in source_columns(guess.key, Column.model_validate(guess.value))
    }


def _excluding(settings: Mapping[str, Guess]) -> set[str]:
    return {*settings["exclude"].value} if "exclude" in settings else set()


def _empty_columns(table: InputTable, columns: Mapping[str, Guess]) -> list[str]:
    """Notes on empty columns that should be canonical ones, and on those of some files only."""
    notes = []
    for name, traits in table.traits.items():
        role = next((role for role in NAMES if role not in columns and name_score(name, role) > 0.8), None)
        if not traits.profile.n_filled and role is not None:
            notes.append(f"{name!r} is empty: {role} is not mapped")
        elif traits.is_rounded_id and role in ("transaction_id", "property_id"):
            notes.append(
                f"{name!r} is not mapped: a spreadsheet has rounded its ids, such as {traits.profile.values[0]}"
            )
    if table.partial:
        notes.append(f"not mapped, since not all files have them: {', '.join(map(repr, table.partial))}")
    return notes
