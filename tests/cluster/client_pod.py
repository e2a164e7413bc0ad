"""A pod with unmodified clients, and a prober in it."""

import subprocess
import threading
from types import TracebackType
from typing import Any

from tests.cluster.kubectl import WITHIN, Kubectl, Manifest, until
from tests.cluster.resources import pool, queue

FINISHES_WITHIN = WITHIN
"""Seconds, for a prober to receive what is left."""
IDLE = ["python", "-c", "import signal; signal.sigwait([signal.SIGTERM])"]


def restricted(image: str, command: list[str], binding: str) -> Manifest:
    """Spec of a pod that the level `restricted` of Pod Security admits, with a binding as its environment."""
    return {
        "terminationGracePeriodSeconds": 1,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "client",
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": command,
                "envFrom": [{"secretRef": {"name": binding}}],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }


def furnish(kubectl: Kubectl, image: str, ordering: str = "Standard", **spec: Any) -> None:
    """A pool of that spec, a queue `orders`, and a pod `client` that has its binding, on the node of Redis."""
    kubectl.apply(pool("default", **spec), queue("orders", ordering=ordering))
    kubectl.ready("queue", "orders")
    start(kubectl, image, "orders-queue", node=kubectl.there("pod", "default-broker-pool-redis-0")["spec"]["nodeName"])


def renew(kubectl: Kubectl) -> None:
    """Have a queue `orders` that is new and empty, and no other."""
    kubectl.apply(queue("orders", deletionPolicy="Delete"))
    kubectl.ready("queue", "orders")
    kubectl("delete", "queues", "--all")
    kubectl.apply(queue("orders"))
    kubectl.ready("queue", "orders")
    ready(kubectl)


def start(kubectl: Kubectl, image: str, binding: str, *, node: str | None = None, name: str = "client") -> None:
    """A pod that waits for `kubectl exec`; with the Secret's keys as its environment it is Running once that exists."""
    kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": restricted(image, IDLE, binding) | {"nodeName": node},
        }
    )
    ready(kubectl, name)


def ready(kubectl: Kubectl, name: str = "client") -> None:
    """Wait for the pod, which starts again where its node was lost."""
    until(lambda: _is_ready(kubectl, name), lambda: kubectl.there("pod", name)["status"])


def _is_ready(kubectl: Kubectl, name: str) -> bool:
    conditions = kubectl.there("pod", name)["status"].get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


BOTO3 = """
import boto3, sys
sqs = boto3.client("sqs")
queue = sqs.get_queue_url(QueueName=sys.argv[1])["QueueUrl"]
"""
SEND = f"""{BOTO3}
sqs.send_message(QueueUrl=queue, MessageBody=sys.argv[2])
"""
RECEIVE = f"""{BOTO3}
messages = []
while not messages:
    messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20, VisibilityTimeout=0).get("Messages", [])
print(messages[0]["Body"])
"""


def send(kubectl: Kubectl, body: str, queue: str = "orders", pod: str = "client") -> None:
    """By boto3 in the pod, which asks again while the broker is away."""
    kubectl("exec", pod, "--", "python", "-c", SEND, queue, body)


def receive(kubectl: Kubectl, queue: str = "orders", pod: str = "client") -> str:
    """One message, which stays in the queue."""
    return kubectl("exec", pod, "--", "python", "-c", RECEIVE, queue).strip()


class Prober:
    """Numbers messages through a queue from within the pod, until `finish`."""

    def __init__(self, kubectl: Kubectl, queue: str, *arguments: str, pod: str = "client") -> None:
        self.output = ""
        self.acknowledged = 0
        """Messages that made the whole way, as far as it told."""
        command = (
            # A secret may begin with a hyphen.
            'exec python -m tests.prober --url "$AWS_ENDPOINT_URL_SQS" --key-id "$AWS_ACCESS_KEY_ID"'
            ' --secret="$AWS_SECRET_ACCESS_KEY" --queue "$0" "$@"'
        )
        self._process = kubectl.popen("exec", "-i", pod, "--", "sh", "-c", command, queue, *arguments)
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "Prober":
        self._reader.start()
        try:
            self.progress(1)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("acknowledged ") and line.split()[1].isdecimal() and len(line.split()) == 2:
                self.acknowledged = int(line.split()[1])
            else:
                self.output += line

    def progress(self, messages: int, within: float = WITHIN) -> None:
        """Wait until so many more messages made the whole way."""
        wanted = self.acknowledged + messages
        until(
            lambda: self.acknowledged >= wanted or self._process.poll() is not None,
            lambda: f"{self.acknowledged} of {wanted}\n{self.output}",
            within,
        )
        assert self._process.poll() is None, self.output

    def finish(self) -> str:
        """Receive what is left; nothing may be lost. Returns the verdict."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            code = self._process.wait(FINISHES_WITHIN)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the prober does not end:\n{self.output}") from None
        self._reader.join()
        assert code == 0, self.output
        print(self.output)
        return self.output
