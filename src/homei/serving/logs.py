"""Log lines of the service, BentoML and uvicorn: one JSON object each, or text for a terminal.

An object has time, level, logger and message, `request_id` where the line is about a request, and `exception` where it
is about one; lines of `homei.requests` have method, path (the route's template), status and seconds. No line has a
body, a token, or the path of a request.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from homei.serving.middleware.request_id import current_request_id

LOG_FORMAT = "HOMEI_LOGS"  # the environment variable; without it, text on a terminal and JSON elsewhere
JSON, TEXT = "json", "text"
TEXT_FORMAT = "%(asctime)s [%(levelname)s] %(name)s: %(message)s"
LOGGERS = ("", "bentoml", "uvicorn.error", "circus")  # those that BentoML gives handlers
FIELD_NAMES = {"levelname": "level", "name": "logger", "exc_info": "exception"}
# What BentoML and uvicorn add to their records for their own formats.
FOREIGN_ATTRS = ("levelname_bracketed", "component", "trace_msg", "service_name", "color_message")


class LogFormatError(ValueError):
    """A value of HOMEI_LOGS that is none of its choices; the message lists them."""


def log_format() -> str:
    """JSON or TEXT, as the environment says or the standard output suggests; raises LogFormatError."""
    choice = os.environ.get(LOG_FORMAT) or (TEXT if sys.stdout.isatty() else JSON)
    if choice not in (JSON, TEXT):
        raise LogFormatError(f"{LOG_FORMAT} is {choice}: it should be {JSON} or {TEXT}")
    return choice


def configure() -> None:
    """Sets the format of all log handlers of this process."""
    formatter = json_formatter() if log_format() == JSON else logging.Formatter(TEXT_FORMAT)
    for handler in {handler for name in LOGGERS for handler in logging.getLogger(name).handlers}:
        handler.setFormatter(formatter)
        handler.addFilter(RequestIdFilter())
    logging.getLogger("homei").setLevel(logging.INFO)
    # MetricsMiddleware logs requests; uvicorn would log each of them with its path.
    logging.getLogger("uvicorn.access").propagate = False


def json_formatter() -> JsonFormatter:
    """Formats a record as one line of JSON with its extra fields."""
    fields = ["levelname", "name", "message"]
    return JsonFormatter(
        fields, rename_fields=FIELD_NAMES, reserved_attrs=[*RESERVED_ATTRS, *FOREIGN_ATTRS], timestamp="time"
    )


class RequestIdFilter(logging.Filter):
    """Adds the id of the current request to each record, whatever library logs it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.__dict__.pop("request_id", None)  # BentoML's own, which is another one
        if request_id := current_request_id.get():
            record.request_id = request_id
        return True


class LogThrottle:
    """Logs an error at most once in `seconds`, however often it happens."""

    def __init__(self, logger: logging.Logger, seconds: float = 60.0) -> None:
        self._logger, self._seconds = logger, seconds
        self._logged_at = -seconds

    def error(self, message: str, *args: Any) -> bool:
        """Returns whether the error was logged this time."""
        if time.monotonic() - self._logged_at < self._seconds:
            return False
        self._logged_at = time.monotonic()
        self._logger.error(message, *args)
        return True
