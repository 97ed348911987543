"""Errors about feeds with too many rejected records: which cell is wrong, where, and what to declare."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from homei.config.feeds import Source
from homei.storage import lake
from homei.validation.quality import REPORTS
from homei.validation.tally import Example, Tally

N_REASONS = 3
# What to do about a kind of reason; {column} is under the feed's key {feed}.
REMEDIES = {
    r": not a number": "declare its decimal, thousands or missing texts under {feed}.columns.{column}",
    r": not a date": "declare its format under {feed}.columns.{column}",
    r": not in [A-Z]{3}$": "convert these amounts, or exclude such rows by {feed}.exclude",
    r": not in square": "declare {feed}.columns.{column}.unit",
    r": swapped": "correct the columns of latitude and longitude",
    r": 0, 0": "exclude such rows by {feed}.exclude, or leave the column out of contract.required",
    r": missing, the cell says": "if this is a value, declare {feed}.columns.{column}.missing: []",
    r": missing$": "map another column under {feed}.columns.{column}, or exclude such rows by {feed}.exclude",
    r": rounded": "export the column as text, or remove it from {feed}.columns",
    r": outside": "correct the unit under {feed}.columns.{column}, or contract.ranges.{column}",
    r": (before|after) ": "correct the format under {feed}.columns.{column}, or city.as_of",
    r"^row: ": "correct the feed's delimiter, encoding or header",
    r"^duplicate": "map a column that identifies each record, or declare {feed}.deed if a deed has several rows",
    r"^deed: different": "declare a column that identifies each sale as {feed}.deed",
    r"^deed: ": "exclude rows that are no properties by {feed}.exclude",
}
DEFAULT_REMEDY = "correct {feed}.columns.{column}"


class QualityError(RuntimeError):
    """A feed with too many rejected records, or a source without valid sales."""


def check_quality(quality: Mapping[str, Any], source: Source, tallies: Mapping[str, Tally]) -> None:
    """Raises QualityError if `quality`, the content of quality.json, is not ok."""
    if quality["ok"]:
        return
    if not quality["rows"]:
        raise QualityError("the source has no sales: check that its files have rows below the header")
    errors = [
        _too_many_rejected(counts, source, tallies[counts["table"]])
        for counts in quality["tables"]
        if counts["share"] > counts["limit"]
    ]
    errors += [
        f"{counts['table']}: {counts['replaced']:,} of {counts['rows']:,} records of feed {counts['feed']} are "
        "replaced by rows of later files with the same identifier: if identifiers begin anew in each file, remove the "
        "identifier from columns"
        for counts in quality["tables"]
        if not counts["ok"] and counts["share"] <= counts["limit"]
    ]
    errors += [
        f"places: {counts['rejected']:,} of {counts['rows']:,} places of kind {counts['kind']} ({counts['share']:.1%}) "
        "break the contract: correct latitude, longitude or system under feeds.places"
        for counts in quality["places"]
        if not counts["ok"]
    ]
    if not quality["valid"]:
        errors.append(f"none of {quality['rows']:,} sales is valid")
    rest = f"The rows are in {lake.QUARANTINE}; `homei render quality` writes {REPORTS / 'quality.html'}"
    raise QualityError("\n".join([*errors, rest]))


def _too_many_rejected(counts: Mapping[str, Any], source: Source, tally: Tally) -> str:
    table, name = counts["table"], counts["feed"]
    key = _feed_key(source, table, name)
    reasons = [(kind, rows) for (feed, kind), rows in tally.reasons.items() if feed == name]
    most = sorted(reasons, key=lambda reason: (-reason[1], reason[0]))[:N_REASONS]
    city_file = f"params/city/{source.city.name}.yaml"
    own = next(feed for feed in source.of(table) if feed.name == name).max_rejected_share
    where = "validate.max_rejected_share (params/config.yaml)" if own is None else f"its limit ({city_file})"
    lines = [
        f"{table}: {counts['rejected']:,} of {counts['rows'] - counts['set_aside']:,} records of feed {name} "
        f"({counts['share']:.1%}) break the contract; {where} allows {counts['limit']:g}."
    ]
    lines += [
        f"  {kind} ({rows:,} rows{_example_text(tally.examples[name, kind])}): {remedy(kind, key)}"
        for kind, rows in most
    ]
    return "\n".join([*lines, f"  If the data are right, set {key}.max_rejected_share in {city_file}."])


def _example_text(example: Example) -> str:
    cell = "first" if example.cell is None else f"such as {example.cell!r}"
    return f", {cell} in line {example.line} of {example.file}"


def remedy(kind: str, feed_key: str) -> str:
    remedy = next((remedy for pattern, remedy in REMEDIES.items() if re.search(pattern, kind)), DEFAULT_REMEDY)
    return remedy.format(feed=feed_key, column=kind.partition(":")[0])


def _feed_key(source: Source, table: str, name: str) -> str:
    """The key of a feed in YAML: without a number if the table has only one."""
    names = [feed.name for feed in source.of(table)]
    return f"feeds.{table}" if len(names) == 1 else f"feeds.{table}[{names.index(name)}]"
