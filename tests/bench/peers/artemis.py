"""ActiveMQ Artemis, from the distribution that Maven Central has."""

import os
import socket
from contextlib import suppress
from typing import ClassVar

from tests.bench.peers.maven import unpacked
from tests.bench.peers.peer import Peer
from tests.processes import free_port
from tools.shell import run

DISTRIBUTION = "org.apache.activemq:apache-artemis:2.40.0:zip:bin"


class Artemis(Peer):
    title = "ActiveMQ Artemis"
    promises: ClassVar = {"Memory": "journal without syncs", "Fsync": "journal, synced"}

    def __init__(self, durability: str) -> None:
        distribution = unpacked(DISTRIBUTION)
        super().__init__(durability)
        self.port = free_port()
        self._instance = self.directory / "instance"
        create = [
            *(str(distribution / "bin/artemis"), "create", str(self._instance), "--silent"),
            *("--user", "bench", "--password", "bench", "--allow-anonymous", "--no-web"),
            *("--no-amqp-acceptor", "--no-mqtt-acceptor", "--no-hornetq-acceptor", "--no-stomp-acceptor"),
            *("--host", "127.0.0.1", "--default-port", str(self.port), "--java-options", "-Xmx1G"),
            *(["--no-fsync"] if durability == "Memory" else []),
        ]
        run(*create)

    def command(self) -> list[str]:
        return [str(self._instance / "bin/artemis"), "run"]

    def environment(self) -> dict[str, str]:
        return os.environ | {"ARTEMIS_INSTANCE": str(self._instance)}

    def is_up(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(b"CONNECT\naccept-version:1.2\nhost:localhost\n\n\0")
            connection.settimeout(2)
            return connection.recv(9) == b"CONNECTED"
        return False
