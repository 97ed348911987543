"""What Prometheus is told of valuations and of their log, at /metrics."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from homei.serve.predictions.lines import Entry
from homei.serve.predictions.widths import Widths


class Metrics:
    """Counts."""

    def __init__(self, variant: str, model_version: str, data_version: str, registry: Any = None) -> None:
        # Imported before the service says otherwise, it would gather figures as BentoML wants them: see serve.service.
        import prometheus_client as prometheus

        where = {"registry": registry or prometheus.REGISTRY}
        self._variant = variant
        self._named: dict[str, tuple[str, str]] = {}
        by_variant = ["variant"]
        self._valued = prometheus.Counter("homei_valuations", "Valuations that were given.", by_variant, **where)
        self._beyond = prometheus.Counter(
            "homei_valuations_beyond_knowledge", "Those of homes with a flag.", by_variant, **where
        )
        self._flags = prometheus.Counter(
            "homei_valuation_flags", "Flags of valuations.", [*by_variant, "flag"], **where
        )
        self._widths = Widths()
        where["registry"].register(self._widths)
        self._refused = prometheus.Counter(
            "homei_valuation_requests_refused", "Requests for valuations that were refused.", ["status"], **where
        )
        self._lines = prometheus.Counter(
            "homei_prediction_lines",
            "Answers on their way: spooled to the disk, kept in the warehouse, lost, unkept for want of a warehouse.",
            ["fate"],
            **where,
        )
        self._waiting = prometheus.Gauge("homei_prediction_spool_bytes", "Of answers on the disk.", **where)
        self._info = prometheus.Gauge(
            "homei_model_info", "1 for what answers, 0 for what did before.",
            ["variant", "model_version", "data_version"],
            **where,
        )  # fmt: skip
        self.model(variant, model_version, data_version)
        self._reloads = prometheus.Counter(
            "homei_reload", "Newer models, and whether they were taken, refused or failed.", ["outcome"], **where
        )
        for fate in ("spooled", "kept", "lost", "unkept"):
            self._lines.labels(fate)

    def model(self, variant: str, model_version: str, data_version: str) -> None:
        """Names what answers as a variant from now on."""
        if before := self._named.get(variant):
            self._info.labels(variant, *before).set(0)
        self._named[variant] = (model_version, data_version)
        self._info.labels(variant, model_version, data_version).set(1)

    def valued(self, given: Entry) -> None:
        """Counts the answers of an entry, each by its own variant in an experiment."""
        by_variant: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for answer in given.answers:
            by_variant[answer.get("variant", self._variant)].append(answer)
        for variant, answers in by_variant.items():
            self._count(variant, answers)

    def _count(self, variant: str, answers: Sequence[Mapping[str, Any]]) -> None:
        flags: Counter[str] = Counter()
        beyond = 0
        widths = []
        for answer in answers:
            interval = answer["interval"]
            if price := answer["predicted_price"]:
                widths.append((interval["high"] - interval["low"]) / price)
            if answer["flags"]:
                beyond += 1
                flags.update(answer["flags"])
        self._widths.add(variant, widths)
        self._valued.labels(variant).inc(len(answers))
        self._beyond.labels(variant).inc(beyond)
        for flag, count in flags.items():
            self._flags.labels(variant, flag).inc(count)

    def reloaded(self, outcome: str) -> None:
        self._reloads.labels(outcome).inc()

    def refused(self, status: int) -> None:
        self._refused.labels(str(status)).inc()

    def lines(self, fate: str, count: int) -> None:
        """Counts lines that were `spooled`, `kept`, `lost` or `unkept`."""
        self._lines.labels(fate).inc(count)

    def waiting(self, size: int) -> None:
        self._waiting.set(size)
