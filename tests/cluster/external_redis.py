"""Redis that is somebody else's, as pods: under Sentinels, and as a Redis Cluster. Both are reached by TLS alone."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tests import certificates
from tests.cluster.kubectl import TIMEOUT, Kubectl, Manifest, Refused
from tests.cluster.resources import secret

PASSWORD = "secret"
CLI = "redis-cli --tls --cacert /tls/ca.crt --cert /tls/tls.crt --key /tls/tls.key"
TLS = "--port 0 --tls-port 6379 --tls-ca-cert-file /tls/ca.crt --tls-cert-file /tls/tls.crt --tls-key-file /tls/tls.key"
KEPT = "--dir /data --appendonly yes --save '' --maxmemory-policy noeviction --min-replicas-to-write 1"
SERVER = (
    f"redis-server {TLS} {KEPT} --requirepass {PASSWORD} --masterauth {PASSWORD}"
    " --tls-replication yes --repl-diskless-sync-delay 0"
)
DOWN_AFTER = 4000
"""Milliseconds without an answer after which a Redis counts as down: more than a busy machine keeps one from answering.
"""

# One that ended starts again only when another is in its place: else no fail-over would be seen.
UNDER_SENTINELS = f"""
me=$HOSTNAME.$SERVICE first=${{HOSTNAME%-*}}-0.$SERVICE primary=
if [ -e /data/appendonlydir ]; then
  while [ -z "$primary" ] || [ "$primary" = "$me" ]; do
    sleep 0.2
    primary=$({CLI} -h $SERVICE -p 26379 sentinel get-master-addr-by-name main | head -n 1)
  done
elif [ "$me" != "$first" ]; then
  primary=$first
fi
exec {SERVER} --replica-announce-ip $me ${{primary:+--replicaof $primary 6379}}
"""
SENTINEL = f"""
first=${{HOSTNAME%-*}}-0.$SERVICE
cd /data
if [ ! -e sentinel.conf ]; then
  until getent hosts $first; do sleep 0.2; done
  cat >sentinel.conf <<END
port 0
tls-port 26379
tls-ca-cert-file /tls/ca.crt
tls-cert-file /tls/tls.crt
tls-key-file /tls/tls.key
tls-replication yes
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $HOSTNAME.$SERVICE
sentinel monitor main $first 6379 2
sentinel auth-pass main {PASSWORD}
sentinel down-after-milliseconds main {DOWN_AFTER}
sentinel failover-timeout main {2 * DOWN_AFTER}
END
fi
exec redis-server /data/sentinel.conf --sentinel
"""
OF_CLUSTER = f"""
asked() {{ for number in 0 1; do {CLI} -h ${{HOSTNAME%-*}}-$number.$SERVICE cluster nodes; done; }}
if [ -e /data/nodes.conf ]; then
  me=$(sed -n 's/ .*myself.*//p' /data/nodes.conf)
  until asked | grep "^$me" | grep -qE 'slave|fail[, ]'; do sleep 0.2; done
fi
exec {SERVER} --cluster-enabled yes --cluster-node-timeout {DOWN_AFTER} --tls-cluster yes --tls-auth-clients optional \
  --cluster-announce-hostname $HOSTNAME.$SERVICE --cluster-preferred-endpoint-type hostname
"""
# Whether it is a primary, and the shards that it has, without the pools themselves.
LOOK = f"{CLI} role | head -n 1; {CLI} --scan --pattern '{{qt/*/*}}:meta'"


class RedisPods:
    """A StatefulSet of its name, and the Secret of that name by which a pool reaches it."""

    size: ClassVar[int]
    scripts: ClassVar[dict[str, str]]
    """Of its containers."""

    def __init__(self, kubectl: Kubectl, name: str, image: str) -> None:
        self.name = name
        self._kubectl = kubectl
        self._image = image
        self._service = f"{name}.{kubectl.namespace}.svc"

    @property
    def url(self) -> str:
        raise NotImplementedError

    def manifests(self) -> list[Manifest]:
        held = _certificates(self._service)
        return [
            secret(f"{self.name}-certificates", **held),
            secret(self.name, url=self.url, **self._shown(held)),
            _service(self.name),
            self._stateful_set(),
        ]

    def _shown(self, held: dict[str, str]) -> dict[str, str]:
        """What brokers need of it."""
        raise NotImplementedError

    def _stateful_set(self) -> Manifest:
        volumes = [
            {"name": "tls", "secret": {"secretName": f"{self.name}-certificates"}},
            *({"name": f"data-{name}", "emptyDir": {}} for name in self.scripts),
        ]
        containers = [self._container(name, script) for name, script in self.scripts.items()]
        spec = {"terminationGracePeriodSeconds": 1, "containers": containers, "volumes": volumes}
        return {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": self.name},
            "spec": {
                "serviceName": self.name,
                "replicas": self.size,
                "podManagementPolicy": "Parallel",
                "selector": {"matchLabels": {"app": self.name}},
                "template": {"metadata": {"labels": {"app": self.name}}, "spec": spec},
            },
        }

    def _container(self, name: str, script: str) -> Manifest:
        return {
            "name": name,
            "image": self._image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["sh", "-c", script],
            "env": [
                {"name": "SERVICE", "value": self._service},
                {"name": "REDISCLI_AUTH", "value": PASSWORD},
            ],
            "volumeMounts": [
                {"name": f"data-{name}", "mountPath": "/data"},
                {"name": "tls", "mountPath": "/tls", "readOnly": True},
            ],
        }

    def hosts(self, port: int, count: int) -> str:
        """Of its first pods."""
        return ",".join(f"{self.name}-{number}.{self._service}:{port}" for number in range(count))

    @property
    def pods(self) -> Sequence[str]:
        return [f"{self.name}-{number}" for number in range(self.size)]

    def settle(self) -> None:
        """Until its pods run, and serve together."""
        self._kubectl("rollout", "status", f"statefulset/{self.name}", TIMEOUT)

    def primary(self) -> str:
        """The pod that takes the writes of a shard which is no pool's own; empty while there is none."""
        for pod in self.pods:
            try:
                role, *keys = self.inside(pod, LOOK).splitlines()
            except (Refused, ValueError):
                continue
            if role == "master" and keys:
                return pod
        return ""

    def can_fail_over(self) -> bool:
        """Whether those who choose another primary know what they need for it."""
        return True

    def inside(self, pod: str, command: str) -> str:
        """What a command says in the container of that pod's Redis."""
        return self._kubectl("exec", pod, "--container", "redis", "--", "sh", "-c", command)


class SentinelPods(RedisPods):
    """A primary with two replicas, a Sentinel beside each. They ask all who come for a certificate."""

    size = 3
    scripts: ClassVar = {"redis": UNDER_SENTINELS, "sentinel": SENTINEL}

    @property
    def url(self) -> str:
        return f"rediss+sentinel://:{PASSWORD}@{self.hosts(26379, 3)}/main"

    def _shown(self, held: dict[str, str]) -> dict[str, str]:
        return held

    def can_fail_over(self) -> bool:
        """A Sentinel hears of replicas and of other Sentinels from the primary alone, and asks it every ten seconds."""
        try:
            return all(self._known_to(pod) == (self.size - 1, self.size - 1) for pod in self.pods)
        except Refused:
            return False

    def _known_to(self, pod: str) -> tuple[int, int]:
        """How many replicas, and how many other Sentinels."""
        told = self.inside(pod, f"{CLI} -p 26379 sentinel master main").splitlines()
        found = dict(zip(told[::2], told[1::2], strict=True))
        return int(found["num-slaves"]), int(found["num-other-sentinels"])


class ClusterPods(RedisPods):
    """Three primaries, each with a replica."""

    size = 6
    scripts: ClassVar = {"redis": OF_CLUSTER}

    @property
    def url(self) -> str:
        return f"rediss+cluster://:{PASSWORD}@{self.hosts(6379, 2)}"

    def _shown(self, held: dict[str, str]) -> dict[str, str]:
        return {"ca.crt": held["ca.crt"]}

    def settle(self) -> None:
        super().settle()
        # Nodes meet by addresses, and tell names afterwards.
        nodes = [f"{self._kubectl.there('pod', pod)['status']['podIP']}:6379" for pod in self.pods]
        self.inside(self.pods[0], f"{CLI} --cluster create {' '.join(nodes)} --cluster-replicas 1 --cluster-yes")


def _certificates(service: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        certificates.make(Path(folder), [f"DNS:*.{service}", f"DNS:{service}"])
        return {name: Path(folder, name).read_text() for name in ("ca.crt", "tls.crt", "tls.key")}


def _service(name: str) -> Manifest:
    """Each pod's name leads to it from its start on, and the Service's to all of them."""
    spec = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {"app": name}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
