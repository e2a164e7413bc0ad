"""ElasticMQ: SQS in memory, from Maven Central."""

import urllib.request
from contextlib import suppress
from typing import ClassVar

from tests.bench.peers.maven import jars
from tests.bench.peers.peer import Peer
from tests.processes import free_port

ARTIFACT = "org.elasticmq:elasticmq-server_2.13:1.6.12"
CONFIGURATION = """\
include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-hostname = "127.0.0.1", bind-port = {port}, sqs-limits = strict }}
rest-stats {{ enabled = false }}
"""


class ElasticMQ(Peer):
    title = "ElasticMQ"
    access_key = ("any", "any")
    promises: ClassVar = {"Memory": "in memory"}

    def __init__(self, durability: str) -> None:
        self._jars = jars(ARTIFACT)
        super().__init__(durability)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._configuration = self.directory / "elasticmq.conf"
        self._configuration.write_text(CONFIGURATION.format(port=port))

    def command(self) -> list[str]:
        settings = [f"-Dconfig.file={self._configuration}", "-Xmx1G"]
        return ["java", *settings, "-cp", f"{self._jars}/*", "org.elasticmq.server.Main"]

    def is_up(self) -> bool:
        with (
            suppress(OSError),
            urllib.request.urlopen(f"{self.url}/?Action=ListQueues&Version=2012-11-05", timeout=2) as answer,
        ):
            return bool(answer.status == 200)
        return False
