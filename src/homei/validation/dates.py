"""Cells of text as days: formats of strptime, ISO 8601, serial numbers, instants and quarters."""

from __future__ import annotations

import datetime
import functools
import math
import re
import zoneinfo
from collections import Counter
from collections.abc import Iterable

from homei.config.columns import EPOCH_UNITS, QUARTER, Column

# The starts of month names in Dutch, English, French, German, Italian, Polish, Portuguese, Scandinavian and Spanish.
MONTHS = {
    "Jan": "jan jän gen ene sty", "Feb": "feb fév fev lut", "Mar": "mar mär maa", "Apr": "apr avr abr kwi",
    "May": "may mai maj mei mag", "Jun": "jun juin giu cze", "Jul": "jul juil lug lip", "Aug": "aug ago aoû aou sie",
    "Sep": "sep set wrz", "Oct": "oct okt ott out paź paz", "Nov": "nov lis", "Dec": "dec déc dez dic des gru",
}  # fmt: skip
# Their whole names and abbreviations are known too. "listopad" is November in Polish and Czech, October in Croatian.
LANGUAGES = (
    "en", "de", "fr", "es", "pt", "it", "nl", "pl", "cs", "sk", "sl", "hu", "ro", "bg", "ru", "uk", "el", "tr", "fi",
    "et", "lv", "lt", "sv", "da", "nb", "is", "ca", "ar", "he", "id", "ms", "vi",
)  # fmt: skip
# Excel counts a 29 February 1900, which did not exist, as day 60; later days count from this date.
EPOCHS = {1900: datetime.date(1899, 12, 30), 1904: datetime.date(1904, 1, 1)}
YEARS_AHEAD = 20  # after `as_of`, of those that a two-digit year may mean
TIMES_TO_JUDGE = 5
SUSPECT_HOURS = range(11, 24)  # in UTC: midnight of the next day east of Greenwich
# Days since 1927: a smaller number is rather a year. The decimals are the time of day.
_SERIAL = re.compile(r"[1-9][0-9]{4}([.,][0-9]+)?")
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?")
_UTC = re.compile(r" ?(UTC|GMT|z)$")
_TIME_OF_DAY = re.compile(
    r"[ T](?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(:[0-9]{2}(\.[0-9]+)?)?(?P<half> ?[AaPp]\.?[Mm]\.?)?$"
)
_MONTH_NAME = re.compile(r"[^\W\d_]{3,}\.?")
_EPOCH_NUMBER = re.compile(r"-?[0-9]{1,19}(\.[0-9]+)?")
_QUARTER = re.compile(
    r"(?P<year>[0-9]{4})(?:[ ./-]*[QqTt]\.?|年 ?第?)(?P<quarter>[1-4])(?:四半期|季度)?"
    r"|(?:[QqTt]\.? ?(?P<first>[1-4])|(?P<before>[1-4])\.? ?[QqTt](?:uartal)?\.?)[ ./-]*(?P<last>[0-9]{4})"
)
_HINTS = (
    (re.compile(r"[0-9]{18,19}"), "format: epoch_nanoseconds"),
    (re.compile(r"[0-9]{15,16}"), "format: epoch_microseconds"),
    (re.compile(r"[0-9]{12,13}"), "format: epoch_milliseconds"),
    (re.compile(r"[0-9]{9,10}"), "format: epoch_seconds"),
    (re.compile(r"[2-5][0-9]{4}(\.[0-9]+)?"), "serial: true"),
    (_QUARTER, f"format: {QUARTER}"),
    (re.compile(r"(19|20)[0-9]{6}"), 'format: "%Y%m%d"'),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}"), 'format: "%Y-%m"'),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"), 'format: "%Y-%m-%d"'),
    (re.compile(r"[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}"), 'format: "%Y/%m/%d"'),
    (re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}"), 'format: "%d.%m.%Y"'),
    (re.compile(r"[0-9]{1,2}\. ?[0-9]{1,2}\. ?[0-9]{4}"), 'format: "%d. %m. %Y"'),
    (re.compile(r"[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日"), 'format: "%Y年%m月%d日"'),
    (re.compile(r"[0-9]{1,2}-[^\W\d_]{3,}\.?-[0-9]{4}"), 'format: "%d-%b-%Y"'),
    (re.compile(r"[0-9]{1,2}-[^\W\d_]{3,}\.?-[0-9]{2}"), 'format: "%d-%b-%y"'),
    (re.compile(r"[0-9]{1,2} [^\W\d_]{3,}\.? [0-9]{4}"), 'format: "%d %b %Y"'),
    (re.compile(r"[^\W\d_]{3,}\.? [0-9]{1,2}, [0-9]{4}"), 'format: "%b %d, %Y"'),
    (re.compile(r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}"), 'format: "%d/%m/%Y" or "%m/%d/%Y"'),
)


def date(cell: str, column: Column, as_of: datetime.date | None = None) -> datetime.date | None:
    """A cell as a day in the column's format or in ISO 8601; None for anything else.

    An instant (with an offset, or a number since 1970) is a day in the column's time zone: without one, in its own
    offset or in UTC. Typed cells of Excel and Parquet are ISO dates, whatever the format is.
    """
    moment = _moment(cell, column, as_of)
    if moment is None or moment.tzinfo is None or column.timezone is None:
        return None if moment is None else moment.date()
    try:
        return moment.astimezone(zoneinfo.ZoneInfo(column.timezone)).date()
    except OverflowError:
        return None


def date_fault(cell: str, column: Column) -> str:
    """Why a cell is no date, with the declaration under which it might be one."""
    if column.format in EPOCH_UNITS:
        return f"not a date in {column.format}"
    hints = (hint for shape, hint in _HINTS if shape.fullmatch(cell) and _fits(cell, hint, column))
    return next((f"not a date ({hint}?)" for hint in hints), "not a date")


def suspect_midnights(cells: Iterable[str], column: Column) -> str | None:
    """A description of instants that all look like midnights of another time zone; None for other columns.

    Such a day in UTC would be the day before, and often the month before.
    """
    if column.timezone is not None:
        return None
    moments = [moment for cell in cells if (moment := _moment(cell, column, None)) is not None]
    clocks = Counter(moment.time() for moment in moments if moment.time() != datetime.time())
    has_offset = any(moment.tzinfo is not None for moment in moments)
    # Without an offset, noon may stand for the whole day, and a few times may be what they seem.
    if not clocks or (not has_offset and (clocks.total() < TIMES_TO_JUDGE or {*clocks} == {datetime.time(12)})):
        return None
    clock = max(clocks, key=clocks.get)
    # Summer time is an hour earlier.
    times = sorted(clock.replace(hour=hour) for hour in {clock.hour - 1, clock.hour, clock.hour + 1} & {*range(24)})
    times = [time for time in times if time in clocks]
    is_round = clock.second == clock.microsecond == 0 and clock.minute % 15 == 0
    is_common = len(times) < 3 and sum(clocks[time] for time in times) >= 0.9 * clocks.total()
    if not (is_round and is_common and clock.hour in SUSPECT_HOURS):
        return None
    shown = " or ".join(f"{time:%H:%M}" for time in times)
    zone = " UTC" if has_offset else ", without an offset"
    return f"{sum(clocks[time] for time in times):,} of {len(moments):,} different times are at {shown}{zone}"


def serial_day(cell: str, first_year: int) -> datetime.date | None:
    """The day of a workbook's serial number, which counts from 1900 or from 1904."""
    if not _SERIAL.fullmatch(cell):
        return None
    # Half a second before midnight is a rounding error.
    return EPOCHS[first_year] + datetime.timedelta(days=math.floor(float(cell.replace(",", ".")) + 0.5 / 86_400))


def _moment(cell: str, column: Column, as_of: datetime.date | None) -> datetime.datetime | None:
    """A cell as a time, with an offset if it is an instant; a day is its midnight."""
    if column.serial and (day := serial_day(cell, 1904 if column.serial == 1904 else 1900)):
        return datetime.datetime.combine(day, datetime.time())
    if column.format in EPOCH_UNITS:
        if _EPOCH_NUMBER.fullmatch(cell):
            return _instant(float(cell) / EPOCH_UNITS[column.format], column.format)
    elif column.format == QUARTER:
        if match := _QUARTER.fullmatch(cell):
            year, quarter = match["year"] or match["last"], match["quarter"] or match["first"] or match["before"]
            return datetime.datetime(int(year), 3 * int(quarter) - 2, 1) if int(year) else None  # noqa: DTZ001
    elif column.format is not None:
        if (moment := _in_format(cell, column.format)) is not None:
            return _with_offset(_in_century(moment, column, as_of), column)
        # An ISO date in such a column could have day and month swapped.
        if "%Y-%d" in column.format:
            return None
    try:
        if not _ISO.fullmatch(cell):
            return None
        return _with_offset(datetime.datetime.fromisoformat(_UTC.sub("+00:00", cell)), column)
    except ValueError:
        return None


def _in_format(cell: str, format: str) -> datetime.datetime | None:
    """A moment in a format of strptime, with or without a time of day that the format does not have."""
    if "%b" in format or "%B" in format:
        cell, format = _with_english_month(cell), format.replace("%B", "%b").replace("%b.", "%b")
    time = _TIME_OF_DAY.search(cell)
    for text, of_day in ((cell, None), (cell[: time.start()], time)) if time else ((cell, None),):
        try:
            moment = datetime.datetime.strptime(text, format)  # noqa: DTZ007
            is_24_hours = of_day is not None and of_day["half"] is None
            return moment.replace(hour=int(of_day["hour"]), minute=int(of_day["minute"])) if is_24_hours else moment
        except ValueError:
            continue
    return None


def _fits(cell: str, hint: str, column: Column) -> bool:
    """Whether a cell is a date in one of the formats of a hint, if it has any and the column has none."""
    formats = re.findall('"(.+?)"', hint)
    return not formats or (column.format is None and any(_in_format(cell, format) for format in formats))


def _with_english_month(cell: str) -> str:
    """A cell whose month is called as in English, `Mar`; unchanged where no month is named."""
    for name in _MONTH_NAME.findall(cell):
        if (month := _month_names().get(name.casefold().rstrip("."))) is not None:
            return cell.replace(name, month, 1)
        for month, starts in MONTHS.items():
            if name.casefold().startswith(tuple(starts.split())):
                return cell.replace(name, month, 1)
    return cell


@functools.cache
def _month_names() -> dict[str, str]:
    """The English month of each month name of LANGUAGES; names that mean several months are left out."""
    from babel import Locale

    months: dict[str, set[str]] = {}
    for language in LANGUAGES:
        for names in (names for context in Locale(language).months.values() for names in context.values()):
            for month, name in zip(MONTHS, names.values(), strict=False):
                months.setdefault(name.casefold().rstrip("."), set()).add(month)
    return {name: min(of_name) for name, of_name in months.items() if len(of_name) == 1 and len(name) >= 3}


def _with_offset(moment: datetime.datetime | None, column: Column) -> datetime.datetime | None:
    has_time = moment is not None and moment.tzinfo is None and moment.time() != datetime.time()
    return moment.replace(tzinfo=datetime.UTC) if has_time and column.utc else moment


def _instant(seconds: float, unit: str) -> datetime.datetime | None:
    # As milliseconds, today's seconds would be days of January 1970; 0 stands for an unknown time.
    if abs(seconds) < (1 if unit == "epoch_seconds" else 1e7):
        return None
    try:
        return datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(seconds=seconds)
    except OverflowError:
        return None


def _in_century(moment: datetime.datetime, column: Column, as_of: datetime.date | None) -> datetime.datetime | None:
    """A two-digit year in the 100 years from `pivot`, by default those up to 20 years after `as_of`."""
    if "%y" not in column.format or (column.pivot is None and as_of is None):
        return moment
    first = column.pivot if column.pivot is not None else as_of.year + YEARS_AHEAD - 99
    try:
        return moment.replace(year=first + (moment.year - first) % 100)
    except ValueError:  # a 29 February that this century's year does not have
        return None
