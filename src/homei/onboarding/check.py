"""`homei check`: what a run would do, by the stages ingest and validate in a temporary folder."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml

from homei.config import params
from homei.features.columns import month_of
from homei.ingestion import ingest
from homei.onboarding.declaration import doubts_in
from homei.onboarding.init import declaration_path
from homei.storage import lake
from homei.training.time_splits import SplitError, TimeSplit, month_name
from homei.validation import quality, validate
from homei.validation.quality_errors import remedy

EXTERNAL = Path("data/external")
EXAMPLES = 3
EMPTY = "an empty cell"
MANY_OF_A_TYPE, NEARLY_ALL = 20, 0.95  # rows of a reason, and the share of one type


class Rejection(NamedTuple):
    """A reason to reject rows, and what to do about it."""

    reason: str
    rows: int
    examples: list[str]
    remedy: str


@dataclass
class CheckResult:
    """What a run would do; `problems` are reasons for which it would stop."""

    feeds: list[str] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    set_aside: list[str] = field(default_factory=list)
    sales: list[str] = field(default_factory=list)
    plan: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def check(name: str) -> CheckResult:
    """The result for a city in params/city/; raises ParamsError for a wrong key or value."""
    p = params.check(yaml.safe_load(params.compose([f"city={name}"])))
    result = CheckResult(doubts=doubts_in(declaration_path(name).read_text(encoding="utf-8")))
    with _temporary_lake():
        messages = io.StringIO()
        try:
            with contextlib.redirect_stderr(messages):
                for table in lake.RAW:
                    ingest.run(table, p.city, p.feeds)
                validate.run(p.city, p.feeds, p.contract, p.validate)
        except (ValueError, OSError, RuntimeError) as error:
            result.problems.append(str(error))
        result.warnings += [line.removeprefix("homei: ") for line in messages.getvalue().splitlines()]
        path = quality.REPORTS / "quality.json"
        if path.exists():
            _add_quality(result, lake.read_json(path), lake.read(lake.QUARANTINE))
        if not result.problems:
            _add_sales(result, p, lake.read(lake.VALID["sales"]))
    return result


@contextlib.contextmanager
def _temporary_lake() -> Iterator[None]:
    """A folder as current one in which stages read the city's files and write a lake of their own."""
    project = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="homei-check-") as folder:
        (Path(folder) / EXTERNAL.parent).mkdir()
        (Path(folder) / EXTERNAL).symlink_to(project / EXTERNAL, target_is_directory=True)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(project)


def _add_quality(result: CheckResult, report: Mapping[str, Any], quarantine: pd.DataFrame) -> None:
    """The counts in quality.json, with examples from the quarantine."""
    for feed in report["tables"]:
        n_kept = feed["rows"] - feed["rejected"] - feed["set_aside"]
        counts = (
            f"{feed['rows']:,} read, {n_kept:,} kept, {feed['set_aside']:,} set aside, {feed['rejected']:,} rejected"
        )
        result.feeds.append(f"{feed['table']} {feed['feed']}: {counts}")
    result.rejected += rejections(report["reasons"], quarantine[quarantine["source_table"] == "sales"])
    result.set_aside += [f"{item['rows']:,}: {item['reason']}" for item in report["set_aside_reasons"]]
    for cell in report["cells"]:
        result.warnings.append(f"{cell['table']}.{cell['column']}: {cell['rows']:,} cells are lost: {cell['reason']}")
    for text in report["missing_texts"]:
        result.warnings.append(
            f"{text['table']}.{text['column']}: {text['rows']:,} cells say {text['text']!r}, which counts as unknown"
        )
    result.warnings += [f"{item['table']}, {item['about']}: {item['message']}" for item in report["warnings"]]
    result.warnings = list(dict.fromkeys(result.warnings))


def _add_sales(result: CheckResult, p: SimpleNamespace, sales: pd.DataFrame) -> None:
    """The valid sales by month, type and location, and the months of training, tuning and tests."""
    days = pd.to_datetime(sales["sale_date"])
    months = days.dt.to_period("M")
    n_span = (months.max() - months.min()).n + 1
    n_empty = n_span - months.nunique()
    gaps = f", {n_empty} of them without sales" if n_empty else ""
    result.sales.append(f"{len(sales):,} sales from {months.min()} to {months.max()}: {n_span} months{gaps}")
    for column, title in (("property_type", "types"), ("location", "locations")):
        counts = sales[column].value_counts()
        shown = ", ".join(f"{value} {count:,}" for value, count in counts.head(5).items())
        more = f", … {counts.index[-1]} {counts.iloc[-1]:,}" if len(counts) > 5 else ""
        result.sales.append(f"{len(counts)} {title if len(counts) > 1 else title[:-1]}: {shown}{more}")
    shares = (f"{name} {sales[name].notna().mean():.0%}" for name in ("square_meters", "latitude", "year_built"))
    result.sales.append(f"known: {', '.join(shares)}")
    lines, problems = plan(days, p)
    result.plan += lines
    result.problems += problems


def plan(days: pd.Series, p: SimpleNamespace) -> tuple[list[str], list[str]]:
    """The plan in lines, and the problems for which a stage would stop.

    Counts are of all valid sales: resolution may still exclude some from training.
    """
    months = np.array([month_of(day.date()) for day in days])
    try:
        split = TimeSplit.plan(months, p.split)
    except SplitError as error:
        return [], [str(error)]
    record = split.record(tuning=p.tuning, intervals=p.intervals, backtest=p.backtest)

    def count(first: int, end: int) -> str:
        n_sales = int(((months >= first) & (months < end)).sum())
        return f"{n_sales:,} sales from {month_name(first)}"

    after = int(months.max()) + 1
    folds, fold_months = record["tuning.folds"], record["tuning.fold_months"]
    lines = [
        f"warm-up: {split.warm_up} months, {count(int(months.min()), split.first_usable)}",
        f"tuning: {folds} folds of {fold_months} months in {count(split.first_usable, split.tuning_end)}",
        f"training: {count(split.first_usable, split.first_holdout)}",
        f"hold-out: {split.hold_out} months, {count(split.first_holdout, after)}",
        f"backtest: {split.tested} months, {count(split.first_tested, after)}",
    ]
    return [*lines, *filter(None, [record["note"]])], []


def rejections(reasons: Sequence[Mapping[str, Any]], rejected: pd.DataFrame) -> list[Rejection]:
    """The reasons of quality.json with examples from the quarantined sales."""
    rejected_by_reason = []
    for item in reasons:
        reason = item["reason"]
        # A reason in quarantine may have details after that of quality.json, such as a line.
        rows = rejected[rejected["reasons"].str.contains(reason, regex=False)]
        examples = _examples(rows, reason.partition(":")[0])
        advice = "; ".join(filter(None, [remedy(reason, "feeds.sales"), _advice_on_type(rows, rejected)]))
        rejected_by_reason.append(Rejection(reason, int(item["rows"]), examples, advice))
    return rejected_by_reason


def _advice_on_type(rows: pd.DataFrame, rejected: pd.DataFrame) -> str:
    """What to do if nearly all rows with a reason are of one type, such as outbuildings without an area."""
    if len(rows) < MANY_OF_A_TYPE or "property_type" not in rows or rejected["property_type"].nunique() < 2:
        return ""
    types = rows["property_type"].value_counts(normalize=True)
    if types.empty or types.iloc[0] < NEARLY_ALL:
        return ""
    return f"{types.iloc[0]:.0%} of them are of type {types.index[0]!r}: exclude these if they are no dwellings"


def _examples(rows: pd.DataFrame, column: str) -> list[str]:
    """Up to three distinct cells of a column with their origin, the most frequent first."""
    examples = []
    cells = rows[column].fillna(EMPTY) if column in rows else pd.Series("", index=rows.index)
    for cell in cells.value_counts().index[:EXAMPLES]:
        row = rows[cells == cell].iloc[0]
        shown = cell if cell in ("", EMPTY) else repr(cell if len(cell) <= 40 else f"{cell[:39]}…")
        examples.append(f"{shown} (line {row['source_line']} of {row['source_file']})".strip())
    return examples


def format_check(name: str, result: CheckResult) -> str:
    """The result as text."""
    rejected = []
    for rejection in result.rejected:
        rejected.append(f"{rejection.rows:,}: {rejection.reason}")
        rejected += [f"    such as {', '.join(rejection.examples)}"] if rejection.examples else []
        rejected.append(f"    {rejection.remedy}")
    sections = {
        "records by feed": result.feeds,
        "sales rejected, by reason": rejected,
        "sales set aside, since they are no sales of their own": result.set_aside,
        "valid sales": result.sales,
        "split, folds and backtest": result.plan,
        "warnings": result.warnings,
        f"doubts left in params/city/{name}.yaml": result.doubts,
        "a run would stop": result.problems,
    }
    lines = []
    for title, section in sections.items():
        if section:
            lines += [title, *(f"  {line}" for text in section for line in text.splitlines()), ""]
    return "\n".join(lines) + ("" if result.problems else f"A run would go through: make repro city={name}")
