"""The protocol of NATS by hand, for JetStream: a window of publishes, a pull consumer, explicit acknowledgements."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from tests.bench.clients.client import Client, Connection, Pair, connect
from tests.bench.flow import MESSAGE
from tests.bench.peers.nats import Nats

CREDIT = 1000
"""Messages of all pulls under way."""
PULL = 100
"""Messages of one."""
HOUR = 3600 * 10**9


class Jetstream(Connection):
    """Answers come to one inbox, pulled messages to another; each has a subscription."""

    CONFIRMS, PULLED, ANSWERS = b"1", b"2", b"3"

    def __init__(self, stream: str) -> None:
        super().__init__()
        self._stream = stream
        self._inbox = f"_INBOX.{secrets.token_hex(8)}"
        self._pulled = 0
        self._answers: list[Any] = []
        self._pongs = 0
        body = MESSAGE.encode()
        self._message = b"PUB %b %b.1 %d\r\n%b\r\n" % (stream.encode(), self._inbox.encode(), len(body), body)
        ask = msgspec.json.encode({"batch": PULL, "expires": HOUR})
        pull = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.all {self._inbox}.2"
        self._pull = b"PUB %b %d\r\n%b\r\n" % (pull.encode(), len(ask), ask)

    async def open(self) -> None:
        await self.until(lambda: bool(self._pongs))
        options = {"verbose": False, "pedantic": False, "headers": True, "no_responders": True, "lang": "bench"}
        self.transport.write(b"CONNECT %b\r\n" % msgspec.json.encode(options))
        for number in (1, 2, 3):
            self.transport.write(f"SUB {self._inbox}.{number} {number}\r\n".encode())

    async def call(self, verb: str, **arguments: Any) -> None:
        """One of $JS.API. Raises RuntimeError where it is refused."""
        body = msgspec.json.encode(arguments)
        self.transport.write(f"PUB $JS.API.{verb} {self._inbox}.3 {len(body)}\r\n".encode() + body + b"\r\n")
        await self.until(lambda: bool(self._answers))
        answer = msgspec.json.decode(self._answers.pop())
        if "error" in answer:
            raise RuntimeError(answer["error"])

    async def finish(self) -> None:
        pongs = self._pongs
        self.transport.write(b"PING\r\n")
        await self.until(lambda: self._pongs > pongs)

    def publish(self, count: int) -> None:
        self.transport.write(self._message * count)

    def pull(self, times: int) -> None:
        self.transport.write(self._pull * times)

    def acknowledge(self, tokens: list[Any]) -> None:
        self.transport.write(b"".join([b"PUB %b 4\r\n+ACK\r\n" % reply for reply, _ in tokens]))
        self._pulled += len(tokens)
        again, self._pulled = divmod(self._pulled, PULL)
        self.pull(again)

    def take(self, data: bytes) -> int:
        at = 0
        while (line_end := data.find(b"\r\n", at)) >= 0:
            words = data[at:line_end].split()
            begin = line_end + 2
            if words[0] in (b"MSG", b"HMSG"):
                after = begin + int(words[-1]) + 2
                if after > len(data):
                    break
                self._message_came(words, data[begin : after - 2])
                at = after
            else:
                self._word(words)
                at = begin
        return at

    def _message_came(self, words: list[bytes], body: bytes) -> None:
        if words[2] == self.CONFIRMS:
            if b'"error"' in body:
                raise ConnectionError(f"NATS refused a message: {body!r}")
            self.answer()
        elif words[2] == self.ANSWERS:
            self._answers.append(body)
        elif words[0] == b"MSG":
            self.inbox.append((words[3], body))
        else:
            raise ConnectionError(f"NATS ended a pull: {body!r}")

    def _word(self, words: list[bytes]) -> None:
        if words[0] == b"PING":
            self.transport.write(b"PONG\r\n")
        elif words[0] in (b"PONG", b"INFO"):
            self._pongs += 1
        elif words[0] == b"-ERR":
            raise ConnectionError(f"NATS refused: {words!r}")


@asynccontextmanager
async def nats(server: Nats, *, receive: bool = True) -> AsyncIterator[Client]:
    """A stream that keeps a message until it was acknowledged."""
    stream = server.new_name()
    producer, consumer = [await connect(server.port, lambda: Jetstream(stream)) for _ in range(2)]
    await producer.open()
    await consumer.open()
    await producer.call(
        f"STREAM.CREATE.{stream}", name=stream, subjects=[stream], storage="file", retention="workqueue"
    )
    settings = {"durable_name": "all", "ack_policy": "explicit", "max_ack_pending": 2 * CREDIT}
    await producer.call(f"CONSUMER.DURABLE.CREATE.{stream}.all", stream_name=stream, config=settings)
    if receive:
        consumer.pull(CREDIT // PULL)
    pair = Pair(producer, consumer)
    yield pair
    await producer.call(f"STREAM.DELETE.{stream}")
    pair.close()
