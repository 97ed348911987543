"""What databases say of themselves in messages: the driver that is missing, the driver's own words."""

from __future__ import annotations

# What a driver that is not installed is called, and what installs it.
DRIVERS = {"psycopg": "homei[postgresql]", "pyodbc": "homei[sqlserver]"}


def remedy(error: ModuleNotFoundError) -> str:
    """The command that installs the driver that is missing."""
    return f"pip install '{DRIVERS.get(error.name or '', error.name)}'"


def words(error: BaseException) -> str:
    """The driver's own words, without SQLAlchemy's link and the statement's parameters."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
