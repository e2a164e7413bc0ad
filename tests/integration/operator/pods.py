"""What the manifests of a pool's pods say, run as processes: commands, settings, mounted files and probes."""

import os
import re
import socket
import subprocess
import sys
import urllib.request
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path

from quintet.embedded import redis_server
from quintet_operator.builders.metadata import Manifest
from tests.processes import Process


def decoded(secret: Manifest) -> dict[str, str]:
    return {key: b64decode(value).decode() for key, value in secret["data"].items()}


class Pod(Process):
    """The first pod of a StatefulSet. `here`: what stands on this machine for ports, paths and names in a cluster."""

    def __init__(self, workload: Manifest, secret: Manifest, directory: Path, here: Mapping[str, str]) -> None:
        super().__init__(directory, workload["metadata"]["name"])
        self.name = f"{workload['metadata']['name']}-0"
        self.here = dict(here)
        spec = workload["spec"]["template"]["spec"]
        [self.container] = spec["containers"]
        self.secret = decoded(secret)
        [volume] = spec["volumes"]
        mounted = {mount["name"]: mount["mountPath"] for mount in self.container["volumeMounts"]}
        for name, path in mounted.items():
            self.here[path] = str(directory / name)
            (directory / name).mkdir(exist_ok=True)
        for item in volume["secret"]["items"]:
            (directory / volume["name"] / item["path"]).write_text(self.secret[item["key"]])

    def translated(self, text: str) -> str:
        for there, here in self.here.items():
            text = text.replace(there, here)
        return text

    def command(self) -> list[str]:
        """Without one in the manifest, the image's: `python -m`."""
        words = self.container.get("command") or [sys.executable, "-m", *self.container["args"]]
        return [self.translated(word) for word in words]

    def environment(self) -> dict[str, str]:
        """As the kubelet makes it, with `$(NAME)` of the variables before."""
        made = {"PATH": f"{Path(redis_server.find()).parent}:{os.environ['PATH']}"}
        for variable in self.container["env"]:
            value = self.translated(variable.get("value") or self._taken(variable.get("valueFrom")))
            made[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda found: made[found[1]], value)
        return made

    def _taken(self, source: Manifest | None) -> str:
        if source and (reference := source.get("secretKeyRef")):
            return self.secret[reference["key"]]
        fields = {"metadata.name": self.name, "status.podIP": "127.0.0.1"}
        return fields[source["fieldRef"]["fieldPath"]] if source else ""

    def is_up(self) -> bool:
        return self.passes("readinessProbe")

    def passes(self, probe: str) -> bool:
        """As the kubelet asks, on IPv4."""
        how = self.container[probe]
        if "exec" in how:
            return self._run(how["exec"]["command"]).returncode == 0
        if "tcpSocket" in how:
            return self.listens("127.0.0.1", how["tcpSocket"]["port"])
        url = f"http://127.0.0.1:{self.port(how['httpGet']['port'])}{how['httpGet']['path']}"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def output(self, command: str) -> str:
        """Of a command in the container."""
        return self._run(["sh", "-c", command]).stdout

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        words = [self.translated(word) for word in command]
        return subprocess.run(words, env=self.environment(), capture_output=True, text=True, check=False)

    def port(self, name: str) -> int:
        [port] = [port["containerPort"] for port in self.container["ports"] if port["name"] == name]
        return int(self.translated(str(port)))

    def listens(self, address: str, port: str) -> bool:
        try:
            socket.create_connection((address, self.port(port)), timeout=5).close()
        except OSError:
            return False
        return True
