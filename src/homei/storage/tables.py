"""The folder of each table of the lake, from the project's folder."""

from __future__ import annotations

from pathlib import Path

# Ingested records, as text under canonical column names.
RAW = {name: Path("data/raw", name) for name in ("sales", "listings", "customers", "leads", "indicators", "places")}
RAW_FILES = "files.json"  # beside the receipt of an external raw table: its feeds and files in their order
HISTORICAL = Path("data/archive/historical")  # replaced versions of landed records
BACKUPS = Path("data/archive/backups")  # whole landings, from before a full re-read

# Typed records that satisfy the contract, and the rejected rows of all tables with their reasons.
VALID = {name: Path("data/processed/valid", name) for name in ("sales", "listings", "customers", "leads", "indicators")}
VALID_PLACES = Path("data/processed/valid/places")
FEED_COLUMNS = Path("data/processed/valid/feed_columns")  # the columns that each feed maps
QUARANTINE = Path("data/processed/quarantine")

# Records with their property; MERGED_SALES are reports of a sale that a preferred feed reports too.
RESOLVED_SALES = Path("data/processed/resolved/sales")
RESOLVED_PROPERTIES = Path("data/processed/resolved/properties")
RESOLVED_LISTINGS = Path("data/processed/resolved/listings")
MERGED_SALES = Path("data/processed/resolved/merged_sales")

TRAINING_SET = Path("data/processed/ml_ready/sales")  # one row a market sale: target and features
TRAINING_SAMPLE = Path("data/processed/features/training_sample.json")  # how its rows were chosen

# Look-up tables that training joins to its rows and the service joins to a request.
MARKET_INDEX = Path("data/processed/aggregates/market_index")  # price level by month
MARKET_HISTORY = Path("data/processed/aggregates/market_history")  # past prices by place, property type and month
ADJUSTMENTS = Path("data/processed/aggregates/adjustments")  # price effects that make comparable sales comparable
PREVIOUS_SALES = Path("data/processed/features/previous_sales")  # by property and month
PLACES = Path("data/processed/features/places")  # points of interest
COMPARABLE_POOL = Path("data/processed/features/sold")  # the sales that can be a property's comparables

# Tables for analysts.
PROPERTY_ANALYTICS = Path("data/curated/analytics/property_analytics")
CUSTOMER_ANALYTICS = Path("data/curated/analytics/customer_analytics")
MARKET_ANALYTICS = Path("data/curated/analytics/market_analytics")
PROPERTY_FEATURES = Path("data/curated/views/property_features")
DATA_QUALITY = Path("data/curated/views/data_quality")

PREDICTIONS = Path("data/processed/predictions")  # of the hold-out
VALUATIONS = Path("data/processed/valuations")  # of all known properties
BACKTEST = Path("data/processed/backtest")  # predictions of each tested month
