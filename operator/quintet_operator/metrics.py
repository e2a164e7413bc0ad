"""The operator's own metrics."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from quintet_operator.work_queue import TryAgain

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """One a process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._reconciles = Counter(
            "quintet_operator_reconciles",
            "Reconciles by kind and result: done, again (it waits for something), error.",
            ["kind", "result"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "quintet_operator_reconcile_seconds",
            "How long a reconcile took.",
            ["kind"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self.leader = Gauge("quintet_operator_leader", "1 where this replica holds the Lease.", registry=self._registry)
        self.depth = Gauge("quintet_operator_work_queue_depth", "Keys that are due or run.", registry=self._registry)

    @contextmanager
    def reconcile(self, kind: str) -> Iterator[None]:
        """Counts and measures what is done within."""
        began, result = time.perf_counter(), "error"
        try:
            yield
            result = "done"
        except TryAgain:
            result = "again"
            raise
        finally:
            self._reconciles.labels(kind, result).inc()
            self._seconds.labels(kind).observe(time.perf_counter() - began)

    def render(self) -> tuple[bytes, str]:
        """Body and content type."""
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4
