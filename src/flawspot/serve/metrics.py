"""Prometheus metrics of a station. They need the extra ``flawspot[serve]``."""

from __future__ import annotations

from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from flawspot.serve.parts import Outcome

SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0)
SEVERITIES = (0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)


class Metrics:
    """The metrics.

    Attributes:
        registry: a registry for these metrics alone.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        by, registry = ("detector",), self.registry
        self._parts = Counter("flawspot_parts", "Parts by verdict.", ("detector", "verdict"), registry=self.registry)
        self._judged = Histogram(
            "flawspot_judging_seconds", "Seconds from the queue to the verdict.", by, buckets=SECONDS, registry=registry
        )
        self._waited = Histogram(
            "flawspot_waiting_seconds", "Seconds in the queue.", by, buckets=SECONDS, registry=registry
        )
        self._severity = Histogram(
            "flawspot_severity", "Scores in units of the threshold.", by, buckets=SEVERITIES, registry=registry
        )
        gauges = {
            "waiting": "Parts in the queue.",
            "dropped": "Pictures of cameras that came while the queue was full.",
            "refused": "Requests that came while the queue was full.",
            "unrecorded": "Results that the record could not take.",
        }
        self._gauges = {name: Gauge(f"flawspot_{name}", text, by, registry=registry) for name, text in gauges.items()}
        self._drift = _Drift(registry)
        self._free = Gauge("flawspot_disk_free_bytes", "Free bytes on the disk of the record.", registry=self.registry)
        self._source = Gauge("flawspot_source_up", "1 if the source works.", ("source",), registry=self.registry)

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        content = outcome.content
        detector, milliseconds = str(content["detector"]), content["milliseconds"]
        self._parts.labels(detector, content["verdict"]).inc()
        self._judged.labels(detector).observe(milliseconds["judged"] / 1e3)
        self._waited.labels(detector).observe(milliseconds["waited"] / 1e3)
        if content.get("severity") is not None:
            self._severity.labels(detector).observe(content["severity"])

    def look(self, status: dict[str, Any]) -> None:
        """Update the gauges from a status."""
        for detector in status["detectors"]:
            for name, gauge in self._gauges.items():
                gauge.labels(detector["name"]).set(detector[name])
            self._drift.look(detector["name"], detector["drift"])
        for source in status["sources"]:
            self._source.labels(source["name"]).set(source["trouble"] is None)
        self._free.set(status["disk"]["free_bytes"])


class _Drift:
    """The gauges of the drift tests. Evidence is told as its log10, where 3 is an alarm."""

    def __init__(self, registry: CollectorRegistry) -> None:
        by, log = ("detector",), "log10 of the evidence that"
        tests = {
            "scores": ("flawspot_drift_evidence", f"{log} scores of good parts have changed; 3 is an alarm."),
            "looks": ("flawspot_drift_looks_evidence", f"{log} looks have changed, the largest; 3 is an alarm."),
            "verdicts": ("flawspot_drift_verdicts_evidence", f"{log} verdicts have changed; 3 is an alarm."),
        }
        self._tests = {test: Gauge(name, text, by, registry=registry) for test, (name, text) in tests.items()}
        self._measures = Gauge(
            "flawspot_drift_measure_evidence", f"{log} one measure has changed.", (*by, "measure"), registry=registry
        )
        self._alarm = Gauge("flawspot_drift_alarm", "1 if any drift test gives alarm.", by, registry=registry)

    def look(self, name: str, drift: dict[str, Any]) -> None:
        """Update the gauges of a detector from what its tests say."""
        for test, gauge in self._tests.items():
            gauge.labels(name).set(drift["tests"][test]["evidence"])
        for measure, evidence in drift["tests"]["looks"]["measures"].items():
            self._measures.labels(name, measure).set(evidence)
        self._alarm.labels(name).set(drift["alarm"])
