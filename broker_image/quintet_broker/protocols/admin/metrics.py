"""What /metrics tells of each queue, of Redis and of the process, in Prometheus's text format."""

from collections.abc import Iterable

from msgspec import structs
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from quintet_broker.engine.requests import sum_of
from quintet_broker.services.queue import Queue
from quintet_broker.services.topology import Topology

LABELS = ["kind", "namespace", "name"]
TOTALS = {
    "sent": "Messages accepted and confirmed",
    "received": "Deliveries of messages to consumers",
    "acknowledged": "Messages settled by their consumers",
    "dead_lettered": "Messages moved to the dead-letter queue",
    "expired": "Messages dropped at the end of their retention or expiry",
    "dropped": "Messages dropped to make room, as limits.overflow says",
}


class QueueCollector(Collector):
    """Reads the queues when it is asked; keeps nothing."""

    def __init__(self, topology: Topology, namespace: str) -> None:
        self._topology = topology
        self._namespace = namespace

    def collect(self) -> Iterable[Metric]:
        queues = self._topology.queues() if self._topology.restored else []
        yield self._held(queues)
        for name, help_text in TOTALS.items():
            counter = CounterMetricFamily(f"quintet_messages_{name}", f"{help_text}.", labels=LABELS)
            for queue in queues:
                counter.add_metric(self._labels(queue), getattr(queue.totals, name))
            yield counter

    def _held(self, queues: list[Queue]) -> Metric:
        gauge = GaugeMetricFamily(
            "quintet_messages", "Messages held, by what they wait for.", labels=[*LABELS, "state"]
        )
        for queue in queues:
            # Each broker tells of what it owns: together they tell of all.
            held = queue.held
            for state, count in structs.asdict(sum_of(held.values())).items() if held else ():
                gauge.add_metric([*self._labels(queue), state], count)
        return gauge

    def _labels(self, queue: Queue) -> list[str]:
        return ["Queue", self._namespace, queue.name]


class StorageCollector(Collector):
    """What the broker saw when it last looked at Redis."""

    def __init__(self, topology: Topology, namespace: str, pool: str) -> None:
        self._topology = topology
        self._labels = ["BrokerPool", namespace, pool]

    def collect(self) -> Iterable[Metric]:
        used, limit = self._topology.storage_bytes
        for name, value, help_text in (
            ("used", used, "Memory that Redis has in use."),
            ("limit", limit, "Memory that Redis may use; 0 where there is no limit."),
        ):
            gauge = GaugeMetricFamily(f"quintet_storage_{name}_bytes", help_text, labels=LABELS)
            gauge.add_metric(self._labels, value)
            yield gauge


def render(topology: Topology, namespace: str, pool: str) -> tuple[bytes, str]:
    """(body, content type) of all metrics of this broker."""
    registry = CollectorRegistry()
    registry.register(QueueCollector(topology, namespace))
    registry.register(StorageCollector(topology, namespace, pool))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder("")
    return encode(registry), content_type
