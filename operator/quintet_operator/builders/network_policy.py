"""The NetworkPolicies of a pool: who may reach its pods, and whom they may reach."""

from quintet_api.broker_pool import BrokerPool
from quintet_operator.builders.addresses import ADMIN_PORT, HTTP_PORT, REDIS_PORT
from quintet_operator.builders.metadata import Manifest, metadata, selector


def broker_network_policy(pool: BrokerPool) -> Manifest:
    """Anybody reaches the ports of the brokers: clients sign, and /admin/v1/ asks for a token."""
    return _policy(
        pool, "", "broker", {"policyTypes": ["Ingress"], "ingress": [{"ports": _ports(HTTP_PORT, ADMIN_PORT)}]}
    )


def redis_network_policy(pool: BrokerPool) -> Manifest:
    """The pool's own brokers alone reach its Redis, which reaches nobody."""
    brokers = [{"podSelector": {"matchLabels": selector(pool, "broker")}}]
    rules = {"policyTypes": ["Ingress", "Egress"], "ingress": [{"from": brokers, "ports": _ports(REDIS_PORT)}]}
    return _policy(pool, "redis", "redis", rules | {"egress": []})


def _policy(pool: BrokerPool, part: str, component: str, rules: Manifest) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(pool, part, component=component),
        "spec": {"podSelector": {"matchLabels": selector(pool, component)}} | rules,
    }


def _ports(*ports: int) -> list[Manifest]:
    return [{"protocol": "TCP", "port": port} for port in ports]
