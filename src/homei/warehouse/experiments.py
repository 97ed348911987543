"""Experiments as the warehouse knows them: what was answered in one, and what those homes did sell at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Column, Connection, Select, Subquery, and_, func, literal, select, union_all

from homei.assignment import Design
from homei.warehouse.tables import feedback, predictions

# A sale with the answer that was given for the home: what `sales` has of both.
COLUMNS = {"price": feedback.c.price, "valued": predictions.c.price}
COLUMNS |= {name: predictions.c[name] for name in ("variant", "low", "high", "level", "prediction_id")}
COLUMNS |= {name: feedback.c[name] for name in ("client", "key", "received_at", "sold_on")}


@dataclass(frozen=True)
class Evidence:
    """What is known of an experiment: answers and units by variant, and its sales, one a row in order of being told.

    `sales` has unit, variant, price (what was paid), valued, low, high and level (of the answer). `told` counts all
    sales that were ever told, of whatever answers.
    """

    design: Design
    since: str
    until: str
    answers: dict[str, int]
    units: dict[str, int]
    sales: pd.DataFrame
    told: int


def names(connection: Connection) -> list[str]:
    """The experiments that answers were part of, the one that answered last comes last."""
    c = predictions.c
    last = select(c.experiment).where(c.experiment.is_not(None)).group_by(c.experiment)
    return list(connection.execute(last.order_by(func.max(c.predicted_at), c.experiment)).scalars())


def evidence(connection: Connection, name: str) -> Evidence:
    """What is known of an experiment."""
    design, c = Design.named(name), predictions.c
    unit = _unit(design)
    counted = select(c.variant, func.count(), func.count(unit.distinct()), func.min(c.predicted_at),
                     func.max(c.predicted_at)).where(c.experiment == name).group_by(c.variant)  # fmt: skip
    rows = connection.execute(counted).all()
    days = sorted(str(moment)[:10] for row in rows for moment in row[3:])
    return Evidence(
        design,
        days[0] if days else "",
        days[-1] if days else "",
        {row[0]: row[1] for row in rows},
        {row[0]: row[2] for row in rows},
        _sales(connection, name, unit),
        connection.execute(select(func.count()).select_from(feedback)).scalar_one(),
    )


def _unit(design: Design) -> Column[Any]:
    return predictions.c.property_id if design.unit == "property" else predictions.c.client


def _sales(connection: Connection, name: str, unit: Column[Any]) -> pd.DataFrame:
    """The experiment's sales: a sale that names an answer counts for that one, otherwise for the home's last before.

    One that was told several times counts once, as it was told last.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")  # where a day begins, as SQLite's texts have it
    rows = connection.execute(union_all(_by_answer(name, unit), _by_home(name, unit))).mappings()
    found = pd.DataFrame([dict(row) for row in rows], columns=[*COLUMNS, "unit", "home", "rank"])
    found = found.sort_values(["rank", "received_at", "client", "key"]).drop_duplicates(["client", "key"])
    found = found.sort_values(["received_at", "client", "key"])
    same = found["home"].str.cat(found["sold_on"].astype(str), sep="/").fillna(found["prediction_id"])
    found = found[~same.duplicated(keep="last")]
    return found[["unit", "variant", "price", "valued", "low", "high", "level"]].reset_index(drop=True)


def _by_answer(name: str, unit: Column[Any]) -> Select[Any]:
    p, f = predictions.c, feedback.c
    joined = feedback.join(predictions, f.prediction_id == p.prediction_id)
    return _columns(unit, 0).select_from(joined).where(p.experiment == name)


def _by_home(name: str, unit: Column[Any]) -> Select[Any]:
    p, f = predictions.c, feedback.c
    joined = feedback.join(predictions, and_(f.property_id == p.property_id, p.predicted_at < f.sold_on))
    latest = func.row_number().over(
        partition_by=(f.client, f.key), order_by=(p.predicted_at.desc(), p.prediction_id.desc())
    )
    ranked: Subquery = (
        _columns(unit, 1).add_columns(latest.label("place")).select_from(joined).where(p.experiment == name).subquery()
    )
    return select(*(column for column in ranked.c if column.name != "place")).where(ranked.c.place == 1)


def _columns(unit: Column[Any], rank: int) -> Select[Any]:
    home = func.coalesce(feedback.c.property_id, predictions.c.property_id)
    own = [column.label(name) for name, column in COLUMNS.items()]
    return select(*own, unit.label("unit"), home.label("home"), literal(rank).label("rank"))
