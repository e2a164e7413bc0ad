"""RabbitMQ, as Debian packages it, on a node of its own."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from tests.bench.peers.peer import Peer
from tests.processes import Process, free_port
from tools.shell import Failed

PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
CONFIGURATION = """\
loopback_users = none
log.file.level = error
vm_memory_high_watermark.relative = 0.6
disk_free_limit.absolute = 200MB
"""


class NameServer(Process):
    """Erlang's, for one node: else that would start one that outlives it."""

    def __init__(self, directory: Path, port: int) -> None:
        super().__init__(directory, "epmd")
        self._port = port

    def command(self) -> list[str]:
        return ["epmd", "-port", str(self._port), "-address", "127.0.0.1"]

    def is_up(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=2):
            return True
        return False


class RabbitMQ(Peer):
    title = "RabbitMQ"
    promises: ClassVar = {
        "Memory": "transient messages: in memory",
        "Fsync": "durable queue, persistent messages: on disk",
    }

    def __init__(self, durability: str) -> None:
        if not PROGRAM.exists():
            raise Failed("sudo apt-get install rabbitmq-server")
        super().__init__(durability)
        self.port, self._distribution, self._names_port = free_port(), free_port(), free_port()
        (self.directory / "rabbitmq.conf").write_text(CONFIGURATION)
        (self.directory / "plugins").write_text("[].")
        self._name_server = NameServer(self.directory, self._names_port)

    def command(self) -> list[str]:
        return [str(PROGRAM)]

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "HOME": str(self.directory),
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # Its script becomes the node, in place of being its parent.
            "RUNNING_UNDER_SYSTEMD": "1",
            "RABBITMQ_NODENAME": f"bench{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "data"),
            "RABBITMQ_LOG_BASE": str(self.directory / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.directory / "generated"),
            "RABBITMQ_PID_FILE": str(self.directory / "pid"),
            # Its schedulers spin while they wait, which would take the cores from whoever else has his turn.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def launch(self) -> None:
        self._name_server.start()
        super().launch()

    def is_up(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            connection.settimeout(2)
            return bool(connection.recv(1))
        return False

    def kill(self) -> None:
        super().kill()
        self._name_server.kill()
