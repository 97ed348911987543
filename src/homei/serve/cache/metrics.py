"""What Prometheus is told of the cache, on the page of metrics that BentoML serves."""

from __future__ import annotations

from typing import Any

HIT, MISS, SHARED, AWAY = "hit", "miss", "shared", "away"


class Metrics:
    """Counts; made in the process that serves, since BentoML says only there where the figures are gathered."""

    def __init__(self, registry: Any = None) -> None:
        # Imported before that, prometheus_client would gather them where no page shows them.
        import prometheus_client as prometheus

        where = {"registry": registry or prometheus.REGISTRY}
        self._requests = prometheus.Counter(
            "homei_cache_requests",
            "Answers that may be kept: hit, miss, shared with another one that was being made, or the cache was away.",
            ["route", "outcome"],
            **where,
        )
        self._up = prometheus.Gauge(
            "homei_cache_up", "Whether the cache answered last; 0 before it was asked.", multiprocess_mode="livemin",
            **where,
        )  # fmt: skip

    def asked(self, route: str, outcome: str) -> None:
        """Counts an answer of a route: `hit`, `miss`, `shared` or `away`."""
        self._requests.labels(route, outcome).inc()

    def up(self, is_up: bool) -> None:
        self._up.set(is_up)
