"""Lines of the log, BentoML's and uvicorn's too: one JSON object each, or text for a terminal.

An object has time, level, logger and message, `request_id` where the line is about a request, and `exception` where it
is about one; lines of `homei.requests` have method, path (the route's template), status and seconds. No line has a
body, a token, or a path as it was asked for.
"""

from __future__ import annotations

import logging
import os
import sys

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from homei.serve.request_ids import current

SETTING = "HOMEI_LOGS"  # the environment variable; without it, text on a terminal and JSON elsewhere
JSON, TEXT = "json", "text"
LINE = "%(asctime)s [%(levelname)s] %(name)s: %(message)s"
LOGGERS = ("", "bentoml", "uvicorn.error", "circus")  # those that BentoML gives handlers
NAMES = {"levelname": "level", "name": "logger", "exc_info": "exception"}
# What BentoML and uvicorn add to their records for their own formats.
THEIRS = ("levelname_bracketed", "component", "trace_msg", "service_name", "color_message")


class LogsError(ValueError):
    """A setting that names no choice; the message has those there are."""


def chosen() -> str:
    """JSON or TEXT, as the environment says or the standard output suggests; raises LogsError."""
    given = os.environ.get(SETTING) or (TEXT if sys.stdout.isatty() else JSON)
    if given not in (JSON, TEXT):
        raise LogsError(f"{SETTING} is {given}: it should be {JSON} or {TEXT}")
    return given


def configure() -> None:
    """Has each handler of this process write as `chosen` says."""
    formatter = as_json() if chosen() == JSON else logging.Formatter(LINE)
    for handler in {handler for name in LOGGERS for handler in logging.getLogger(name).handlers}:
        handler.setFormatter(formatter)
        handler.addFilter(OfRequest())
    logging.getLogger("homei").setLevel(logging.INFO)
    # uvicorn would put together an access line for each request; `serve.watch` has those that are wanted.
    logging.getLogger("uvicorn.access").propagate = False


def as_json() -> JsonFormatter:
    """Makes a record one line of JSON, with what it was given besides its message."""
    fields = ["levelname", "name", "message"]
    return JsonFormatter(fields, rename_fields=NAMES, reserved_attrs=[*RESERVED_ATTRS, *THEIRS], timestamp="time")


class OfRequest(logging.Filter):
    """Gives each record the name of the request that it is about, wherever the line comes from."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.__dict__.pop("request_id", None)  # BentoML's, which is no name of ours
        if name := current.get():
            record.request_id = name
        return True
