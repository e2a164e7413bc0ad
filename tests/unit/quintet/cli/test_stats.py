"""What is made of the brokers' metrics."""

import pytest

from quintet.cli.metrics import Metrics, QueueStats, compare, parse
from quintet.cli.stats import lines, rate
from quintet.cli.system import Broker
from quintet.cli.top import ORDERS, page

FIRST, SECOND = Broker("default", "broker-0", "http://a"), Broker("default", "broker-1", "http://b")
OTHER = Broker("fast", "broker-0", "http://c")
TEXT = """\
# HELP quintet_messages Messages held.
# TYPE quintet_messages gauge
quintet_messages{kind="Queue",name="orders",namespace="shop",state="visible"} 3.0
quintet_messages{kind="Queue",name="orders",namespace="shop",state="in_flight"} 1.0
quintet_messages_sent_total{kind="Queue",name="orders",namespace="shop"} 1.2e+06
quintet_messages_dead_lettered_total{kind="Queue",name="orders",namespace="shop"} 7.0
quintet_storage_used_bytes{kind="BrokerPool",name="default",namespace="shop"} 2.097152e+06
quintet_storage_limit_bytes{kind="BrokerPool",name="default",namespace="shop"} 0.0
process_cpu_seconds_total 1.5
process_resident_memory_bytes 1048576.0
something_else{a="b"} NaN
"""


def metrics(at: float, sent: int, **others: float) -> Metrics:
    found = parse(TEXT, at)
    found.totals["orders", "sent"] = sent
    found.cpu_seconds = others.get("cpu", 1.0)
    return found


def test_metrics_are_read() -> None:
    found = parse(TEXT, 5.0)
    assert found.held == {("orders", "visible"): 3, ("orders", "in_flight"): 1}
    assert found.totals == {("orders", "sent"): 1_200_000, ("orders", "dead_lettered"): 7}
    assert (found.cpu_seconds, found.memory_bytes) == (1.5, 2**20)
    assert (found.storage_used, found.storage_limit) == (2 * 2**20, 0)


def test_brokers_of_a_pool_are_summed_and_rates_are_of_the_time_between() -> None:
    before = {FIRST: metrics(10.0, 100), SECOND: metrics(10.0, 0), OTHER: metrics(10.0, 0)}
    now = {FIRST: metrics(12.0, 140, cpu=1.5), SECOND: metrics(11.0, 5), OTHER: metrics(11.0, 1)}
    found = compare(before, now)
    assert [(queue.pool, queue.visible, queue.sent) for queue in found.queues] == [("default", 6, 25), ("fast", 3, 1)]
    assert (found.queues[0].delayed, found.queues[0].dead_lettered) == (None, 14)
    assert [broker.cpu for broker in found.brokers] == [0.25, 0, 0]
    assert [pool.pool for pool in found.pools] == ["default", "fast"]


def test_a_broker_that_started_anew_counts_from_its_start_and_one_that_is_away_not_at_all() -> None:
    found = compare({FIRST: metrics(1.0, 1000), SECOND: None}, {FIRST: metrics(2.0, 10, cpu=0.2), SECOND: None})
    assert [queue.sent for queue in found.queues] == [10]
    assert [(broker.answers, broker.cpu) for broker in found.brokers] == [(True, 0), (False, None)]
    late = compare({FIRST: None}, {FIRST: metrics(2.0, 10)})
    assert [(queue.visible, queue.sent) for queue in late.queues] == [(3, 0)]


def test_a_page_has_pools_brokers_and_queues_in_order() -> None:
    first = metrics(2.0, 10)
    first.totals["tea", "sent"] = 5
    now = {FIRST: first, SECOND: None}
    told = page(compare({FIRST: metrics(1.0, 0), SECOND: None}, now), "sent")
    assert told[:4] == [
        "broker-pool/default   storage 2 MiB",
        "  broker-0   CPU 0 %   memory 1 MiB",
        "  broker-1   does not answer",
        "",
    ]
    assert [line.split()[0] for line in told[4:]] == ["NAME", "orders", "tea"]
    assert told[-1].split() == ["tea", "-", "-", "-", "5.0", "0", "0", "0"]
    for order in ORDERS:
        assert len(page(compare(now, now), order, 5)) == 5


def test_several_pools_are_told_apart() -> None:
    queues = [QueueStats(pool, "a", 1, 0, 0, 0, 0, 0, 0, 0, 0) for pool in ("default", "fast")]
    head, rows = lines(queues)
    assert (head[1], [row[1] for row in rows]) == ("POOL", ["default", "fast"])
    assert "POOL" not in lines(queues[:1])[0]


@pytest.mark.parametrize(("value", "told"), [(0, "0"), (0.25, "0.2"), (9.96, "10.0"), (48210.4, "48210")])
def test_a_rate_is_short(value: float, told: str) -> None:
    assert rate(value) == told
