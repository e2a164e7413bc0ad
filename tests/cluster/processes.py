"""Signals to a container's process, from a pod on its node: a process cannot SIGKILL or stop its own PID 1."""

from tests.cluster.kubectl import TIMEOUT, Kubectl, Manifest

SEND = """
import os, pathlib, sys
uid, word, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
sent = 0
for process in pathlib.Path('/proc').glob('[0-9]*'):
    try:
        group = (process / 'cgroup').read_text().replace('_', '-')
        command = (process / 'cmdline').read_bytes()
        if uid in group and word.encode() in command:
            os.kill(int(process.name), number)
            sent += 1
    except (FileNotFoundError, ProcessLookupError):
        pass
assert sent, f'no process of pod {uid} has {word} in its command line'
"""


class Processes:
    """One pod a node, made when it is first needed."""

    def __init__(self, kubectl: Kubectl, image: str) -> None:
        self._kubectl = kubectl
        self._image = image
        self._nodes: set[str] = set()

    def signal(self, pod: Manifest, word: str, number: int) -> None:
        """To the process of the pod with `word` in its command line."""
        node = pod["spec"]["nodeName"]
        name = f"signals-{node}"
        if node not in self._nodes:
            self._kubectl.apply(_pod(name, node, self._image))
            self._kubectl("wait", "pod", name, "--for=condition=Ready", TIMEOUT)
            self._nodes.add(node)
        self._kubectl("exec", name, "--", "python", "-c", SEND, pod["metadata"]["uid"], word, str(number))


def _pod(name: str, node: str, image: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "nodeName": node,
            "hostPID": True,
            "terminationGracePeriodSeconds": 1,
            "tolerations": [{"operator": "Exists"}],
            "containers": [
                {
                    "name": "signals",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python", "-c", "import signal; signal.sigwait([signal.SIGTERM])"],
                    "securityContext": {"runAsUser": 0, "runAsNonRoot": False},
                }
            ],
        },
    }
