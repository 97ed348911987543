"""What Prometheus is told of the cache, at /metrics."""

from __future__ import annotations

from typing import Any

HIT, MISS, SHARED, AWAY = "hit", "miss", "shared", "away"


class Metrics:
    """Counts."""

    def __init__(self, registry: Any = None) -> None:
        # Imported before the service says otherwise, it would gather figures as BentoML wants them: see serve.service.
        import prometheus_client as prometheus

        where = {"registry": registry or prometheus.REGISTRY}
        self._requests = prometheus.Counter(
            "homei_cache_requests",
            "Answers that may be kept: hit, miss, shared with another one that was being made, or the cache was away.",
            ["route", "outcome"],
            **where,
        )
        self._up = prometheus.Gauge(
            "homei_cache_up", "Whether the cache answered last; 0 before it was asked.", **where
        )

    def asked(self, route: str, outcome: str) -> None:
        """Counts an answer of a route: `hit`, `miss`, `shared` or `away`."""
        self._requests.labels(route, outcome).inc()

    def up(self, is_up: bool) -> None:
        self._up.set(is_up)
