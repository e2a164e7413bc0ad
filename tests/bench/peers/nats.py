"""NATS with JetStream, built from its Go module."""

import socket
from contextlib import suppress
from typing import ClassVar

from tests.bench.peers.peer import Peer
from tests.cluster.kind.go import install
from tests.processes import free_port
from tools.cache import home

MODULE = "github.com/nats-io/nats-server/v2@v2.15.2"
SYNC = {"Memory": "2m", "Fsync": "always"}
"""When a stream's file is synced: by default each two minutes, or before a confirm."""


class Nats(Peer):
    title = "NATS JetStream"
    promises: ClassVar = {
        "Memory": "file storage, synced each 2 minutes, as by default",
        "Fsync": "file storage, sync_interval: always",
    }

    def __init__(self, durability: str) -> None:
        self._program = install(MODULE, home() / "bin")
        super().__init__(durability)
        self.port = free_port()
        self._configuration = self.directory / "nats.conf"
        self._configuration.write_text(
            f'listen: "127.0.0.1:{self.port}"\n'
            f'jetstream {{ store_dir: "{self.directory}", sync_interval: {SYNC[durability]} }}\n'
        )

    def command(self) -> list[str]:
        return [str(self._program), "--config", str(self._configuration)]

    def is_up(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            return connection.recv(4) == b"INFO"
        return False
