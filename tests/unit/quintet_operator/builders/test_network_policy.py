from quintet_operator.builders.metadata import selector
from quintet_operator.builders.network_policy import broker_network_policy, redis_network_policy
from tests.unit.quintet_operator.objects import pool


def test_clients_reach_the_brokers_from_anywhere_at_their_ports_alone() -> None:
    spec = broker_network_policy(pool())["spec"]
    assert spec["policyTypes"] == ["Ingress"]
    assert spec["ingress"] == [{"ports": [{"protocol": "TCP", "port": 9400}, {"protocol": "TCP", "port": 9401}]}]


def test_redis_is_reached_by_its_brokers_alone_and_reaches_nobody() -> None:
    spec = redis_network_policy(pool())["spec"]
    brokers = {"podSelector": {"matchLabels": selector(pool(), "broker")}}
    assert spec["ingress"] == [{"from": [brokers], "ports": [{"protocol": "TCP", "port": 6379}]}]
    assert (spec["policyTypes"], spec["egress"]) == (["Ingress", "Egress"], [])
