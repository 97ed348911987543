"""Prometheus metrics of valuations and of the prediction log."""

from __future__ import annotations

from typing import Any

from homei.serving.predictions.records import ValuedRequest

WIDTHS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 2.0)
FATES = ("spooled", "kept", "lost", "unkept")


class PredictionMetrics:
    """Counters by the variant of the model, and a gauge that names the models that are served."""

    def __init__(self, variant: str, model_version: str, data_version: str, registry: Any = None) -> None:
        # Not imported with the module: prometheus_client reads the environment, which service.py changes first.
        import prometheus_client as prometheus

        in_registry = {"registry": registry or prometheus.REGISTRY}
        self._variant = variant
        self._versions: dict[str, tuple[str, str]] = {}
        by_variant = ["variant"]
        self._valuations = prometheus.Counter("homei_valuations", "Valuations.", by_variant, **in_registry)
        self._flagged = prometheus.Counter(
            "homei_valuations_beyond_knowledge", "Valuations with at least one flag.", by_variant, **in_registry
        )
        self._flags = prometheus.Counter(
            "homei_valuation_flags", "Flags of valuations.", [*by_variant, "flag"], **in_registry
        )
        self._widths = prometheus.Histogram(
            "homei_interval_relative_width",
            "Interval width divided by price.",
            by_variant,
            buckets=WIDTHS,
            **in_registry,
        )
        self._refused = prometheus.Counter(
            "homei_valuation_requests_refused", "Valuation requests without a valuation.", ["status"], **in_registry
        )
        self._lines = prometheus.Counter(
            "homei_prediction_lines",
            "Valuations in the log: spooled to disk, kept in the warehouse, lost, or unkept for want of a warehouse.",
            ["fate"],
            **in_registry,
        )
        self._waiting_bytes = prometheus.Gauge(
            "homei_prediction_spool_bytes", "Valuations on disk that wait for the warehouse.", **in_registry
        )
        labels = ["variant", "model_version", "data_version"]
        self._models = prometheus.Gauge(
            "homei_model_info", "1 for a model in use, 0 for an earlier one.", labels, **in_registry
        )
        self._reloads = prometheus.Counter(
            "homei_reload", "Newer models that were taken, refused or failed.", ["outcome"], **in_registry
        )
        self.set_model(variant, model_version, data_version)
        for fate in FATES:
            self._lines.labels(fate)

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

    def count_refused(self, status: int) -> None:
        self._refused.labels(str(status)).inc()

    def count_reload(self, outcome: str) -> None:
        self._reloads.labels(outcome).inc()

    def count_lines(self, fate: str, n_lines: int) -> None:
        """Counts valuations that were `spooled`, `kept`, `lost` or `unkept`."""
        self._lines.labels(fate).inc(n_lines)

    def set_waiting_bytes(self, n_bytes: int) -> None:
        self._waiting_bytes.set(n_bytes)
