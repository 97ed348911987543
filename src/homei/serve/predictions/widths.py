"""The widths of intervals, for Prometheus: a histogram that takes those of a batch at once.

The library's own takes one after the other, under a lock: of ten thousand it holds up the next batch for 30 ms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

NAME = "homei_interval_relative_width"
BOUNDS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0)


class Widths:
    """A collector of prometheus_client: how many widths there were up to each bound, by variant."""

    def __init__(self) -> None:
        # By variant; replaced as a whole, so that whoever collects meanwhile sees the ones before or those after.
        self._known: dict[str, tuple[np.ndarray, float]] = {}

    def add(self, variant: str, widths: Sequence[float]) -> None:
        """Counts widths; to be called from one thread."""
        counts, total = self._known.get(variant, (np.zeros(len(BOUNDS) + 1, dtype=np.int64), 0.0))
        new = np.bincount(np.searchsorted(BOUNDS, widths), minlength=len(counts))
        self._known[variant] = (counts + new, total + sum(widths))

    def collect(self) -> Iterator[Any]:
        """The histogram as Prometheus reads it."""
        from prometheus_client.core import HistogramMetricFamily

        family = HistogramMetricFamily(NAME, "The interval's width by the price.", labels=["variant"])
        bounds = [*map(str, BOUNDS), "+Inf"]
        for variant, (counts, total) in sorted(self._known.items()):
            family.add_metric([variant], list(zip(bounds, counts.cumsum().tolist(), strict=True)), total)
        yield family
