"""Prometheus metrics of valuations and of the prediction log."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from homei.serving.predictions.records import ValuedRequest

WIDTHS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0)
FATES = ("spooled", "kept", "lost", "unkept")


class PredictionMetrics:
    """Counters by the variant of the model, and a gauge that names the models that are served."""

    def __init__(
        self, variant: str, model_version: str, data_version: str, registry: CollectorRegistry = REGISTRY
    ) -> None:
        self._variant = variant
        self._versions: dict[str, tuple[str, str]] = {}
        by_variant = ["variant"]
        self._valuations = Counter("homei_valuations", "Valuations.", by_variant, registry=registry)
        self._flagged = Counter(
            "homei_valuations_beyond_knowledge", "Valuations with at least one flag.", by_variant, registry=registry
        )
        self._flags = Counter("homei_valuation_flags", "Flags of valuations.", [*by_variant, "flag"], registry=registry)
        self._widths = Histogram(
            "homei_interval_relative_width",
            "Interval width divided by price.",
            by_variant,
            buckets=WIDTHS,
            registry=registry,
        )
        self.refused = Counter(
            "homei_valuation_requests_refused", "Valuation requests without a valuation.", ["status"], registry=registry
        )
        self.lines = Counter(
            "homei_prediction_lines",
            "Valuations in the log: spooled to disk, kept in the warehouse, lost, or unkept for want of a warehouse.",
            ["fate"],
            registry=registry,
        )
        self.waiting_bytes = Gauge(
            "homei_prediction_spool_bytes", "Valuations on disk that wait for the warehouse.", registry=registry
        )
        labels = ["variant", "model_version", "data_version"]
        self._models = Gauge(
            "homei_model_info", "1 for a model in use, 0 for an earlier one.", labels, registry=registry
        )
        self._reloads = Counter(
            "homei_reload", "Newer models that were taken, refused or failed.", ["outcome"], registry=registry
        )
        self.set_model(variant, model_version, data_version)
        for fate in FATES:
            self.lines.labels(fate)

    def set_model(self, variant: str, model_version: str, data_version: str) -> None:
        """Names the model that is served as a variant from now on."""
        if earlier := self._versions.get(variant):
            self._models.labels(variant, *earlier).set(0)
        self._versions[variant] = (model_version, data_version)
        self._models.labels(variant, model_version, data_version).set(1)

    def count_valuations(self, request: ValuedRequest) -> None:
        """Counts each valuation of a request, in an experiment by its own variant."""
        for valuation in request.valuations:
            variant = valuation.get("variant", self._variant)
            interval, price, flags = valuation["interval"], valuation["predicted_price"], valuation["flags"]
            self._valuations.labels(variant).inc()
            self._flagged.labels(variant).inc(bool(flags))
            for flag in flags:
                self._flags.labels(variant, flag).inc()
            if price:
                self._widths.labels(variant).observe((interval["high"] - interval["low"]) / price)

    def count_reload(self, outcome: str) -> None:
        """Counts an attempt to load a newer model."""
        self._reloads.labels(outcome).inc()
