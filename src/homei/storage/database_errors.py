"""Database errors in messages: the command that installs a driver, and the driver's message."""

from __future__ import annotations

EXTRAS = {"psycopg": "homei[postgresql]", "pyodbc": "homei[sqlserver]"}  # by the driver's module


def install_command(error: ModuleNotFoundError) -> str:
    """The command that installs the driver whose import failed."""
    return f"pip install '{EXTRAS.get(error.name or '', error.name)}'"


def driver_message(error: BaseException) -> str:
    """The driver's message in one line, without SQLAlchemy's link and the statement's parameters."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
