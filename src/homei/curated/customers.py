"""customer_analytics: recency, frequency and value of customers, their segment and preferences.

Hashed names, e-mail addresses and phone numbers of customers are left out.
"""

from __future__ import annotations

import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812

from homei.curated.measures import cents, money

QUINTILES = 5
# Activities of leads in order of increasing intent.
ACTIVITIES = {"inquiry": "inquiries", "viewing": "viewings", "offer": "offers", "purchase": "purchases"}
COLUMNS = [
    "customer_id", "registered_on", "segment", "recency_score", "frequency_score", "value_score",
    "last_activity_on", "last_activity", "days_since_activity", "leads", *ACTIVITIES.values(),
    "priced_purchases", "purchase_value", "lifetime_value",
    "wanted_location", "most_asked_location", "most_asked_type", "median_budget", "median_asking_price",
]  # fmt: skip
# The first rule that applies gives the segment.
SEGMENTS = [
    ("new", "days_registered <= 90"),
    ("silent", "leads = 0"),
    ("champion", "recency_score >= 4 AND frequency_score >= 4 AND value_score >= 4"),
    ("loyal", "recency_score >= 3 AND frequency_score >= 4"),
    ("promising", "recency_score >= 4"),
    ("steady", "recency_score = 3"),
    ("at risk", "frequency_score >= 4 OR value_score >= 4"),
    ("lost", "recency_score <= 2"),
]


def customer_analytics(
    customers: DataFrame,
    leads: DataFrame,
    listings: DataFrame,
    sales: DataFrame,
    as_of: datetime.date,
    commission_rate: float,
) -> DataFrame:
    """One row per customer as of a day: activity, value, scores, segment and preferences.

    `listings` are those of measures.listings_as_of.
    """
    leads = leads.where(F.col("happened_on") <= F.lit(as_of)).join(customers.select("customer_id"), "customer_id")
    inquiries = leads.join(_listed_attributes(listings), "listing_id", "left").cache()
    active = activity(inquiries, as_of).join(purchases(leads, sales, commission_rate), "customer_id", "left")
    values = {name: F.coalesce(F.col(name), F.lit(0.0)) for name in ("purchase_value", "lifetime_value")}
    values["priced_purchases"] = F.coalesce("priced_purchases", F.lit(0))
    scored = active.withColumns(values).transform(with_scores)
    identity = customers.select("customer_id", "registered_on", F.col("location").alias("wanted_location"))
    joined = identity.join(scored, "customer_id", "left").join(preferences(inquiries), "customer_id", "left")
    counts = ["leads", *ACTIVITIES.values(), *values]
    zeros = {name: F.coalesce(F.col(name), F.lit(0)) for name in counts}
    days = F.datediff(F.lit(as_of), "registered_on")
    full = joined.withColumns(zeros).withColumn("days_registered", days).withColumn("segment", segment())
    return full.select(*COLUMNS)


def activity(leads: DataFrame, as_of: datetime.date) -> DataFrame:
    """Leads of each customer: number by activity, last activity, median budget and asking price.

    Of two leads on a day, the one with the stronger intent is the last.
    """
    weight = F.array_position(F.lit(list(ACTIVITIES)), F.col("activity"))
    last = F.max(F.struct("happened_on", weight.alias("weight"), "activity"))
    kinds = [F.count_if(F.col("activity") == kind).alias(name) for kind, name in ACTIVITIES.items()]
    return leads.groupBy("customer_id").agg(
        last["happened_on"].alias("last_activity_on"),
        last["activity"].alias("last_activity"),
        F.datediff(F.lit(as_of), last["happened_on"]).alias("days_since_activity"),
        F.count("*").alias("leads"),
        *kinds,
        F.round(F.median("budget"), 2).alias("median_budget"),
        F.round(F.median("asking_price"), 2).alias("median_asking_price"),
    )


def purchases(leads: DataFrame, sales: DataFrame, commission_rate: float) -> DataFrame:
    """Purchases of each customer: priced_purchases, purchase_value and lifetime_value (the commission).

    Each sale counts once. A purchase whose sale is not in the lake has no price and no value.
    """
    bought = leads.where(F.col("activity") == "purchase").select("customer_id", "transaction_id").distinct()
    priced = bought.join(sales.select("transaction_id", cents(F.col("price")).alias("paid")), "transaction_id")
    paid = F.sum("paid")
    return priced.groupBy("customer_id").agg(
        F.count("*").alias("priced_purchases"),
        money(paid).alias("purchase_value"),
        money(F.rint(paid * F.lit(commission_rate))).alias("lifetime_value"),
    )


def with_scores(active: DataFrame) -> DataFrame:
    """Adds recency_score, frequency_score and value_score: quintiles of active customers, 5 is best.

    Ties are broken by the next columns of the list, and finally by the id.
    """
    orderings = {
        "recency_score": ["last_activity_on", "leads", "purchase_value"],
        "frequency_score": ["leads", "purchase_value", "last_activity_on"],
        "value_score": ["purchase_value", "median_budget", "leads"],
    }
    return reduce(lambda rows, score: with_quintile(rows, score, [*orderings[score], "customer_id"]), orderings, active)


def with_quintile(rows: DataFrame, score: str, by: list[str]) -> DataFrame:
    """Adds each row's quintile in the order `by`, as `ntile` does, without one partition for all rows.

    Rows are numbered within groups that have the first two columns in common; only the sizes of the groups are summed
    over all.
    """
    group, rest = by[:2], by[2:]
    number = F.row_number().over(Window.partitionBy(*group).orderBy(*(F.asc_nulls_first(name) for name in rest)))
    in_order = Window.orderBy(*(F.asc_nulls_first(f"{name}_of_group") for name in group))
    sizes = rows.groupBy(*(F.col(name).alias(f"{name}_of_group") for name in group)).agg(F.count("*").alias("size"))
    before = F.coalesce(F.sum("size").over(in_order.rowsBetween(Window.unboundedPreceding, -1)), F.lit(0))
    total = F.sum("size").over(in_order.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing))
    placed = sizes.select("*", before.alias("n_before"), total.alias("n_rows"))
    is_group = [F.col(name).eqNullSafe(F.col(f"{name}_of_group")) for name in group]
    # The first quintiles have one row more than the others if the rows are not divisible.
    rank = F.col("n_before") + number - 1
    size, longer = F.floor(F.col("n_rows") / QUINTILES), F.col("n_rows") % QUINTILES
    quintile = F.when(rank < longer * (size + 1), F.floor(rank / (size + 1)))
    quintile = quintile.otherwise(longer + F.floor((rank - longer * (size + 1)) / F.greatest(size, F.lit(1))))
    return rows.join(placed, is_group).select(*rows.columns, (quintile + 1).cast("int").alias(score))


def segment() -> Column:
    """The first of SEGMENTS whose rule applies."""
    return F.coalesce(*(F.when(F.expr(rule), name) for name, rule in SEGMENTS))


def preferences(leads: DataFrame) -> DataFrame:
    """By customer: the location and the property type of most inquiries; of several, the latest one."""
    names = {"most_asked_location": "listed_location", "most_asked_type": "listed_type"}
    pairs = F.array(
        *(F.struct(F.lit(name).alias("name"), F.col(column).alias("value")) for name, column in names.items())
    )
    values = leads.select("customer_id", "happened_on", F.inline(pairs)).where(F.col("value").isNotNull())
    counts = values.groupBy("customer_id", "name", "value").agg(
        F.count("*").alias("times"), F.max("happened_on").alias("last")
    )
    most_frequent = F.max(F.struct("times", "last", "value"))["value"]
    return counts.groupBy("customer_id").pivot("name", list(names)).agg(most_frequent)


def _listed_attributes(listings: DataFrame) -> DataFrame:
    return listings.select(
        "listing_id",
        F.col("location").alias("listed_location"),
        F.col("property_type").alias("listed_type"),
        F.col("price").alias("asking_price"),
    )
