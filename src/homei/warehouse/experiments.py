"""Evidence of experiments in the warehouse: an experiment's valuations and the reported sales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Column, Connection, and_, case, func, or_, select

from homei.registry.variant_assignment import ExperimentDesign
from homei.warehouse.tables import feedback, predictions

SALE_COLUMNS = ["unit", "variant", "price", "valued", "low", "high", "level"]


@dataclass(frozen=True)
class Evidence:
    """Valuations and units of an experiment by variant, and its sales in the order of their reports.

    `sales` has unit, variant, price (paid), valued, low, high and level (of the valuation). `n_reported` counts all
    sales that were ever reported, of the experiment or not.
    """

    design: ExperimentDesign
    since: str
    until: str
    valuations: dict[str, int]
    units: dict[str, int]
    sales: pd.DataFrame
    n_reported: int


def experiment_names(connection: Connection) -> list[str]:
    """The experiments that have valuations, the one with the latest valuation last."""
    c = predictions.c
    query = select(c.experiment).where(c.experiment.is_not(None)).group_by(c.experiment)
    return list(connection.execute(query.order_by(func.max(c.predicted_at), c.experiment)).scalars())


def experiment_evidence(connection: Connection, name: str) -> Evidence:
    """The evidence of an experiment."""
    design, c = ExperimentDesign.from_name(name), predictions.c
    unit = c.property_id if design.unit == "property" else c.client
    counts = (func.count(), func.count(unit.distinct()), func.min(c.predicted_at), func.max(c.predicted_at))
    rows = connection.execute(select(c.variant, *counts).where(c.experiment == name).group_by(c.variant)).all()
    days = sorted(str(moment)[:10] for row in rows for moment in row[3:])
    return Evidence(
        design=design,
        since=days[0] if days else "",
        until=days[-1] if days else "",
        valuations={row[0]: row[1] for row in rows},
        units={row[0]: row[2] for row in rows},
        sales=_sales(connection, name, unit),
        n_reported=connection.execute(select(func.count()).select_from(feedback)).scalar_one(),
    )


def _sales(connection: Connection, name: str, unit: Column[Any]) -> pd.DataFrame:
    """The experiment's sales, each with its valuation: the named one, or the property's last before it.

    A sale that was reported several times counts once, as it was reported last.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")  # where a day begins, as in SQLite's texts
    p, f = predictions.c, feedback.c
    is_named = f.prediction_id == p.prediction_id
    is_earlier = and_(f.property_id == p.property_id, p.predicted_at < f.sold_on)
    preferred = (case((is_named, 0), else_=1), p.predicted_at.desc(), p.prediction_id.desc())
    valuations = select(
        *(p.variant, f.price, p.price.label("valued"), p.low, p.high, p.level, p.prediction_id),
        *(f.client, f.key, f.received_at, f.sold_on, unit.label("unit")),
        func.coalesce(f.property_id, p.property_id).label("property_id"),
        func.row_number().over(partition_by=(f.client, f.key), order_by=preferred).label("place"),
    )
    ranked = (
        valuations.join_from(feedback, predictions, or_(is_named, is_earlier)).where(p.experiment == name).subquery()
    )
    result = connection.execute(select(ranked).where(ranked.c.place == 1))
    sales = pd.DataFrame(result.all(), columns=list(result.keys())).sort_values(["received_at", "client", "key"])
    sale_key = sales["property_id"].str.cat(sales["sold_on"].astype(str), sep="/").fillna(sales["prediction_id"])
    return sales.loc[~sale_key.duplicated(keep="last"), SALE_COLUMNS].reset_index(drop=True)
