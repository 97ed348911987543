"""Fairness: comparison of valuation level and error between the groups declared for a city.

Only declared groups (`city.groups`) are compared; no attribute of a person is inferred.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from homei.config.city import CityConfig, Group
from homei.config.texts import normal_text
from homei.evaluation.config import EvaluateConfig, FairnessTolerance
from homei.evaluation.ratio_study import bootstrapped, percentile_interval
from homei.evaluation.slices import STUDY, slice_study

UNKNOWN = "unknown"
MAX_DISTINCT_NUMBERS = 8  # a numeric attribute with more distinct values is grouped by its quarters
N_BANDS = 4
SIGNIFICANCE_LEVEL = 0.05
COLUMNS = ["group", "value", "suppressed", *STUDY]


class GroupError(ValueError):
    """A declared group without data: the message names its key."""


class FairnessStudy(NamedTuple):
    """`table`: a row (COLUMNS) for each value of each declared group, without statistics where suppressed.

    `groups`: for each group its name and origin (of its values), shown (number of values with statistics), suppressed
    (value and n of the others), and two comparisons of the shown values: `level` of median ratios and `error` of median
    errors. A comparison has p (Kruskal–Wallis), p_holm (Holm's correction over all tests), differs (p_holm below
    SIGNIFICANCE_LEVEL), highest and lowest (values), gap (between their medians) with its 95 % interval low, high,
    tolerance, and ok (the interval reaches the tolerance). All are None with fewer than two shown values.
    """

    table: pd.DataFrame
    groups: list[dict[str, Any]]


def fairness_study(holdout: pd.DataFrame, city: CityConfig, evaluate: EvaluateConfig, seed: int) -> FairnessStudy:
    """Error and ratio of the hold-out by declared group; raises GroupError if data is missing.

    `holdout` has predicted, price and the columns of the groups. Values with fewer than `evaluate.min_slice` sales are
    suppressed. The gap between the highest and lowest of many groups is never zero, so a comparison fails only if the
    whole interval of the gap exceeds the tolerance.
    """
    rows, groups = [], []
    for group in city.groups:
        values = group_values(holdout, group, city.folder)
        counts = values.value_counts().sort_index()
        members = {value: holdout[values == value] for value in counts.index if counts[value] >= evaluate.min_slice}
        for number, (value, n) in enumerate(counts.items()):
            study = slice_study(members[value], evaluate.bootstrap, [seed, number]) if value in members else {"n": n}
            rows.append({"group": group.name, "value": value, "suppressed": value not in members, **study})
        groups.append(
            {
                "name": group.name,
                "origin": group.origin,
                "shown": len(members),
                "suppressed": [{"value": value, "n": int(n)} for value, n in counts.items() if value not in members],
                **_comparisons(members, evaluate.tolerance, evaluate.bootstrap, seed),
            }
        )
    _add_holm_correction(groups)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return FairnessStudy(table.astype(dict.fromkeys(STUDY[1:], np.float64)).round(6), groups)


def group_values(holdout: pd.DataFrame, group: Group, folder: str) -> pd.Series:
    """The group's value of each sale, as text; UNKNOWN where it is missing. Raises GroupError."""
    if group.column is not None:
        return _as_text(_column(holdout, group.column, group))
    keys = _column(holdout, group.key, group).astype("string")
    values = _read_values(group, Path(folder) / group.file)
    if not keys.isin(values.index).any():
        raise GroupError(
            f"city.groups.{group.name}: no {group.key} of the sales (such as {keys.iloc[0]!r}) is in {group.file} "
            f"(such as {values.index[0]!r}): name the file's key column with key_column"
        )
    return _as_text(keys.map(values))


def _read_values(group: Group, path: Path) -> pd.Series:
    """The group's value by key, from its file."""
    name = f"city.groups.{group.name}"
    if not path.is_file():
        raise GroupError(f"{name}.file: {path} does not exist: add it or remove the group")
    table = _read_table(group, path)
    key = group.key_column or group.key
    for parameter, column in (("key_column", key), ("value", group.value)):
        if column not in table.columns:
            raise GroupError(
                f"{name}.{parameter}: {path} has no column {column!r}: use one of {', '.join(table.columns)}, or "
                f"declare its delimiter (now {group.delimiter!r})"
            )
    # Sales have the normal form of each text.
    table[key] = table[key].map(normal_text, na_action="ignore")
    values = table[[key, group.value]].dropna().drop_duplicates()
    repeated = values.loc[values[key].duplicated(), key]
    if len(repeated):
        raise GroupError(f"{name}: {path} has several values of {group.value} for {repeated.iloc[0]!r}: keep one")
    if values.empty:
        raise GroupError(f"{name}: {path} has no values of {group.value}: fill the column or remove the group")
    return values.set_index(key)[group.value]


def _read_table(group: Group, path: Path) -> pd.DataFrame:
    """The group's file as text, in its declared format; a cell that says NA is a value."""
    name = f"city.groups.{group.name}"
    try:
        table = pd.read_csv(
            path, sep=group.delimiter, encoding=group.encoding, dtype="string", keep_default_na=False, na_values=[""]
        )
    except UnicodeError as error:
        raise GroupError(f"{name}.encoding: {path} is not {group.encoding}: declare its own, such as cp1252") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise GroupError(f"{name}.delimiter: {path} can't be read between {group.delimiter!r} ({error})") from error
    return table.rename(columns=normal_text)


def _column(holdout: pd.DataFrame, name: str, group: Group) -> pd.Series:
    if name not in holdout.columns:
        raise GroupError(f"city.groups.{group.name}: the sales have no column {name}: declare it in city.attributes")
    return holdout[name]


def _as_text(values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        is_banded = values.nunique() > MAX_DISTINCT_NUMBERS
        values = _quarters(values) if is_banded else values.map("{:g}".format, na_action="ignore")
    return values.astype("object").where(values.notna(), UNKNOWN).astype(str)


def _quarters(values: pd.Series) -> pd.Series:
    edges = np.unique(np.quantile(values.dropna(), np.arange(N_BANDS + 1) / N_BANDS))
    band = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, len(edges) - 2)
    names = [f"{number}: {low:g} to {high:g}" for number, (low, high) in enumerate(pairwise(edges), start=1)]
    return pd.Series(np.array(names)[band], index=values.index).where(values.notna())


def _comparisons(
    members: dict[str, pd.DataFrame], tolerance: FairnessTolerance, draws: int, seed: int
) -> dict[str, Any]:
    """`level` and `error` as in FairnessStudy, without p_holm and differs."""
    drawn = {
        value: bootstrapped(["median_ratio", "mdape"], sales["predicted"], sales["price"], draws, [seed, number])
        for number, (value, sales) in enumerate(members.items())
    }
    ratios = {value: (sales["predicted"] / sales["price"]).to_numpy() for value, sales in members.items()}
    errors = {value: np.abs(ratio - 1) for value, ratio in ratios.items()}
    return {
        "level": _comparison(ratios, {value: each["median_ratio"] for value, each in drawn.items()}, tolerance.level),
        "error": _comparison(errors, {value: each["mdape"] for value, each in drawn.items()}, tolerance.error),
    }


def _comparison(samples: dict[str, np.ndarray], drawn: dict[str, np.ndarray], tolerance: float) -> dict[str, Any]:
    if len(samples) < 2:
        return {**dict.fromkeys(("p", "highest", "lowest", "gap", "low", "high", "ok")), "tolerance": tolerance}
    medians = {value: float(np.median(sample)) for value, sample in samples.items()}
    highest, lowest = max(medians, key=medians.__getitem__), min(medians, key=medians.__getitem__)
    low, high = percentile_interval(drawn[highest] - drawn[lowest])
    return {
        "p": _kruskal_wallis(list(samples.values())),
        "highest": highest, "lowest": lowest, "gap": medians[highest] - medians[lowest], "low": low, "high": high,
        "ok": bool(low <= tolerance), "tolerance": tolerance,
    }  # fmt: skip


def _kruskal_wallis(samples: Sequence[np.ndarray]) -> float:
    """p-value of equal distributions by ranks (Kruskal and Wallis 1952); 1 if all numbers are equal."""
    from scipy.stats import kruskal

    return 1.0 if np.ptp(np.concatenate(samples)) == 0 else float(kruskal(*samples).pvalue)


def _add_holm_correction(groups: list[dict[str, Any]]) -> None:
    """Adds p_holm and differs to every comparison: Holm (1979), over all tests."""
    comparisons = [group[name] for group in groups for name in ("level", "error")]
    tests = sorted((each for each in comparisons if each["p"] is not None), key=lambda each: each["p"])
    p_holm = 0.0
    for rank, test in enumerate(tests):
        p_holm = max(p_holm, min(1.0, test["p"] * (len(tests) - rank)))
        test["p_holm"] = p_holm
    for each in comparisons:
        each.setdefault("p_holm", None)
        each["differs"] = None if each["p_holm"] is None else each["p_holm"] < SIGNIFICANCE_LEVEL
