"""Errors of Spark's workers as the exceptions that they are, without Spark's traces around them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator


@contextlib.contextmanager
def raised_in_workers(*kinds: type[Exception]) -> Iterator[None]:
    """Raises an error of one of these kinds, with its message, where a worker raised it within the block."""
    from pyspark.errors import PySparkException

    try:
        yield
    except PySparkException as error:
        for kind in kinds:
            name = re.escape(f"{kind.__module__}.{kind.__qualname__}")
            if match := re.search(rf"^{name}: (.*?)(?:\n\n|\n\tat |\Z)", str(error), re.DOTALL | re.MULTILINE):
                raise kind(match[1].strip()) from None
        raise
