from quintet_operator.builders.metadata import selector
from quintet_operator.builders.network_policy import broker_network_policy, redis_network_policy
from tests.unit.quintet_operator.objects import pool

BROKERS = [{"podSelector": {"matchLabels": selector(pool(), "broker")}}]


def test_clients_reach_their_ports_from_anywhere_and_the_brokers_alone_each_other() -> None:
    spec = broker_network_policy(pool())["spec"]
    assert spec["policyTypes"] == ["Ingress"]
    assert spec["ingress"] == [
        {"ports": [{"protocol": "TCP", "port": 9400}, {"protocol": "TCP", "port": 9401}]},
        {"from": BROKERS, "ports": [{"protocol": "TCP", "port": 9402}]},
    ]


def test_redis_is_reached_by_its_brokers_alone_and_reaches_nobody() -> None:
    spec = redis_network_policy(pool())["spec"]
    assert spec["ingress"] == [{"from": BROKERS, "ports": [{"protocol": "TCP", "port": 6379}]}]
    assert (spec["policyTypes"], spec["egress"]) == (["Ingress", "Egress"], [])
