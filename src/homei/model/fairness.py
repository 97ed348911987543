"""Fairness: whether the groups that a source declares are valued alike, with what chance explains told apart.

Only what is declared (`source.groups`) is looked at; nothing is inferred about anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from homei.config import Evaluate, Tolerance
from homei.groups import Group
from homei.model.ratio import bootstrapped, percentile_interval
from homei.model.slices import STUDY, slice_study
from homei.source import Source

UNKNOWN = "unknown"
MOST_NUMBERS = 8  # an attribute of more different numbers is told by its quarters
QUARTERS = 4
SIGNIFICANT = 0.05
COLUMNS = ["group", "value", "suppressed", *STUDY]


class GroupError(ValueError):
    """A declared group that the data doesn't have."""


class Fairness(NamedTuple):
    """`table`: a row (COLUMNS) for each value of each declared group, without numbers where it is suppressed.

    `groups`: by group its name and origin (where its values come from), shown (how many values have numbers),
    suppressed (value and n of the others), and two comparisons of the values shown, `level` of their median ratios and
    `error` of their median errors: p (Kruskal–Wallis), p_holm (Holm's correction for all tests on the page), differs
    (whether p_holm is below SIGNIFICANT), highest and lowest (values), gap (of their medians) with its 95 % interval
    low, high, tolerance, and ok: whether the gap may be within the tolerance. All None where no two values are shown.
    """

    table: pd.DataFrame
    groups: list[dict[str, Any]]


def fairness(held: pd.DataFrame, source: Source, evaluate: Evaluate, seed: int) -> Fairness:
    """Error and ratio of the hold-out by each declared group; raises GroupError where its data isn't there.

    `held` has predicted, price and the columns that the groups are declared by. A value with fewer sales than
    `evaluate.min_slice` is named and counted, and no more is told of it. The gap between the highest and the lowest of
    many groups is never zero: its interval tells what chance leaves of it, and a fail needs all of it to be too much.
    """
    rows, groups = [], []
    for group in source.groups:
        values = group_values(held, group, source.folder)
        counts = values.value_counts().sort_index()
        shown = [value for value in counts.index if counts[value] >= evaluate.min_slice]
        members = {value: held[values == value] for value in shown}
        for place, (value, n) in enumerate(counts.items()):
            study = slice_study(members[value], evaluate.bootstrap, [seed, place]) if value in members else {"n": n}
            rows.append({"group": group.name, "value": value, "suppressed": value not in members, **study})
        groups.append(
            {
                "name": group.name,
                "origin": group.origin,
                "shown": len(shown),
                "suppressed": [{"value": value, "n": int(n)} for value, n in counts.items() if value not in members],
                **_comparisons(members, evaluate.tolerance, evaluate.bootstrap, seed),
            }
        )
    _correct(groups)
    table = pd.DataFrame(rows, columns=COLUMNS)
    return Fairness(table.astype(dict.fromkeys(STUDY[1:], np.float64)).round(6), groups)


def group_values(held: pd.DataFrame, group: Group, folder: str) -> pd.Series:
    """The group's value of each sale, as text; UNKNOWN where none is told. Raises GroupError."""
    if group.column is not None:
        return _told(_column(held, group.column, group))
    keys = _column(held, group.key, group).astype("string")
    values = _read(group, Path(folder) / group.file)
    if not keys.isin(values.index).any():
        raise GroupError(
            f"source.groups.{group.name}: no {group.key} of a sale ({keys.iloc[0]!r}, say) is among those of "
            f"{group.file} ({values.index[0]!r}, say): name the column that holds it with key_column"
        )
    return _told(keys.map(values))


def _read(group: Group, path: Path) -> pd.Series:
    """The group's value by key."""
    if not path.is_file():
        raise GroupError(f"source.groups.{group.name}.file: {path} is not there: add it or drop the group")
    read = pd.read_csv(path, sep=group.delimiter, encoding=group.encoding, dtype="string")
    key = group.key_column or group.key
    for name, column in (("key_column", key), ("value", group.value)):
        if column not in read.columns:
            raise GroupError(
                f"source.groups.{group.name}.{name}: {path} has no column {column!r}; it has {', '.join(read.columns)}"
            )
    told = read[[key, group.value]].dropna().drop_duplicates()
    twice = told.loc[told[key].duplicated(), key]
    if len(twice):
        raise GroupError(f"source.groups.{group.name}: {path} gives {twice.iloc[0]!r} several values of {group.value}")
    if told.empty:
        raise GroupError(f"source.groups.{group.name}: {path} tells no value of {group.value}")
    return told.set_index(key)[group.value]


def _column(held: pd.DataFrame, name: str, group: Group) -> pd.Series:
    if name not in held.columns:
        raise GroupError(f"source.groups.{group.name}: the sales that are valued have no column {name}")
    return held[name]


def _told(values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        values = _quarters(values) if values.nunique() > MOST_NUMBERS else values.map("{:g}".format, na_action="ignore")
    return values.astype("object").where(values.notna(), UNKNOWN).astype(str)


def _quarters(values: pd.Series) -> pd.Series:
    edges = np.unique(np.quantile(values.dropna(), np.arange(QUARTERS + 1) / QUARTERS))
    band = np.clip(np.searchsorted(edges, values, side="left") - 1, 0, len(edges) - 2)
    names = [f"{place + 1}: {low:g} to {high:g}" for place, (low, high) in enumerate(pairwise(edges))]
    return pd.Series(np.array(names)[band], index=values.index).where(values.notna())


def _comparisons(members: dict[str, pd.DataFrame], tolerance: Tolerance, draws: int, seed: int) -> dict[str, Any]:
    """`level` and `error` as Fairness tells, yet without p_holm and differs."""
    drawn = {
        value: bootstrapped(["median_ratio", "mdape"], sales["predicted"], sales["price"], draws, [seed, place])
        for place, (value, sales) in enumerate(members.items())
    }
    ratios = {value: (sales["predicted"] / sales["price"]).to_numpy() for value, sales in members.items()}
    errors = {value: np.abs(ratio - 1) for value, ratio in ratios.items()}
    return {
        "level": _compared(ratios, {value: each["median_ratio"] for value, each in drawn.items()}, tolerance.level),
        "error": _compared(errors, {value: each["mdape"] for value, each in drawn.items()}, tolerance.error),
    }


def _compared(samples: dict[str, np.ndarray], drawn: dict[str, np.ndarray], tolerance: float) -> dict[str, Any]:
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
    """How likely ranks lie so far apart by chance (Kruskal and Wallis 1952); 1 where nothing differs at all."""
    from scipy.stats import kruskal

    return 1.0 if np.ptp(np.concatenate(samples)) == 0 else float(kruskal(*samples).pvalue)


def _correct(groups: list[dict[str, Any]]) -> None:
    """Adds p_holm and differs to every comparison: Holm (1979), over all tests that were made."""
    compared = [group[name] for group in groups for name in ("level", "error")]
    tested = sorted((one for one in compared if one["p"] is not None), key=lambda one: one["p"])
    least = 0.0
    for place, one in enumerate(tested):
        least = max(least, min(1.0, one["p"] * (len(tested) - place)))
        one["p_holm"] = least
    for one in compared:
        one.setdefault("p_holm", None)
        one["differs"] = None if one["p_holm"] is None else one["p_holm"] < SIGNIFICANT
