"""The NetworkPolicies of a pool: who may reach its pods, and whom they may reach."""

from quintet_api.broker_pool import BrokerPool
from quintet_operator.builders.addresses import ADMIN_PORT, HTTP_PORT, PEER_PORT, REDIS_PORT
from quintet_operator.builders.metadata import Manifest, metadata, selector


def broker_network_policy(pool: BrokerPool) -> Manifest:
    """Anybody reaches the ports for clients, who sign, and for /admin/v1/, which asks for a token; the pool's own
    brokers alone reach the one between brokers."""
    ingress = [{"ports": _ports(HTTP_PORT, ADMIN_PORT)}, {"from": _brokers(pool), "ports": _ports(PEER_PORT)}]
    return _policy(pool, "", "broker", {"policyTypes": ["Ingress"], "ingress": ingress})


def redis_network_policy(pool: BrokerPool) -> Manifest:
    """The pool's own brokers alone reach its Redis, which reaches nobody."""
    ingress = [{"from": _brokers(pool), "ports": _ports(REDIS_PORT)}]
    rules = {"policyTypes": ["Ingress", "Egress"], "ingress": ingress, "egress": []}
    return _policy(pool, "redis", "redis", rules)


def _brokers(pool: BrokerPool) -> list[Manifest]:
    return [{"podSelector": {"matchLabels": selector(pool, "broker")}}]


def _policy(pool: BrokerPool, part: str, component: str, rules: Manifest) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(pool, part, component=component),
        "spec": {"podSelector": {"matchLabels": selector(pool, component)}} | rules,
    }


def _ports(*ports: int) -> list[Manifest]:
    return [{"protocol": "TCP", "port": port} for port in ports]
