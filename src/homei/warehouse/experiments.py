"""Evidence of experiments in the warehouse: the valuations of one, and the reported sales of those properties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Column, Connection, Select, Subquery, and_, func, literal, select, union_all

from homei.registry.variant_assignment import ExperimentDesign
from homei.warehouse.tables import feedback, predictions

# A reported sale with the valuation it belongs to.
COLUMNS = {"price": feedback.c.price, "valued": predictions.c.price}
COLUMNS |= {name: predictions.c[name] for name in ("variant", "low", "high", "level", "prediction_id")}
COLUMNS |= {name: feedback.c[name] for name in ("client", "key", "received_at", "sold_on")}


@dataclass(frozen=True)
class Evidence:
    """Valuations and units of an experiment by variant, and its sales in the order in which they were reported.

    `sales` has unit, variant, price (paid), valued, low, high and level (of the valuation). `n_reported` counts all
    sales that were ever reported, of the experiment or not.
    """

    design: ExperimentDesign
    since: str
    until: str
    answers: dict[str, int]
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
    unit = _unit_column(design)
    counts = (func.count(), func.count(unit.distinct()), func.min(c.predicted_at), func.max(c.predicted_at))
    rows = connection.execute(select(c.variant, *counts).where(c.experiment == name).group_by(c.variant)).all()
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


def _unit_column(design: ExperimentDesign) -> Column[Any]:
    return predictions.c.property_id if design.unit == "property" else predictions.c.client


def _sales(connection: Connection, name: str, unit: Column[Any]) -> pd.DataFrame:
    """The experiment's sales, each with the valuation that it names, else the property's last one before the sale.

    A sale that was reported several times counts once, as it was reported last.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")  # where a day begins, as in SQLite's texts
    query = union_all(_sales_by_prediction(name, unit), _sales_by_property(name, unit))
    rows = [dict(row) for row in connection.execute(query).mappings()]
    sales = pd.DataFrame(rows, columns=[*COLUMNS, "unit", "property_id", "rank"])
    sales = sales.sort_values(["rank", "received_at", "client", "key"]).drop_duplicates(["client", "key"])
    sales = sales.sort_values(["received_at", "client", "key"])
    sale_key = sales["property_id"].str.cat(sales["sold_on"].astype(str), sep="/").fillna(sales["prediction_id"])
    sales = sales[~sale_key.duplicated(keep="last")]
    return sales[["unit", "variant", "price", "valued", "low", "high", "level"]].reset_index(drop=True)


def _sales_by_prediction(name: str, unit: Column[Any]) -> Select[Any]:
    p, f = predictions.c, feedback.c
    joined = feedback.join(predictions, f.prediction_id == p.prediction_id)
    return _select_sales(unit, 0).select_from(joined).where(p.experiment == name)


def _sales_by_property(name: str, unit: Column[Any]) -> Select[Any]:
    p, f = predictions.c, feedback.c
    joined = feedback.join(predictions, and_(f.property_id == p.property_id, p.predicted_at < f.sold_on))
    place = func.row_number().over(
        partition_by=(f.client, f.key), order_by=(p.predicted_at.desc(), p.prediction_id.desc())
    )
    query = _select_sales(unit, 1).add_columns(place.label("place"))
    ranked: Subquery = query.select_from(joined).where(p.experiment == name).subquery()
    return select(*(column for column in ranked.c if column.name != "place")).where(ranked.c.place == 1)


def _select_sales(unit: Column[Any], rank: int) -> Select[Any]:
    """`rank` prefers the valuation that a sale names (0) to one of its property (1)."""
    property_id = func.coalesce(feedback.c.property_id, predictions.c.property_id)
    columns = [column.label(name) for name, column in COLUMNS.items()]
    return select(*columns, unit.label("unit"), property_id.label("property_id"), literal(rank).label("rank"))
