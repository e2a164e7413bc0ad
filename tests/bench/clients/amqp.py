"""AMQP 0-9-1 by hand, for RabbitMQ: publisher confirms, prefetch, acknowledgements."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from struct import Struct, pack, unpack_from
from typing import Any

from tests.bench.clients.client import Client, Connection, Pair, connect
from tests.bench.flow import MESSAGE
from tests.bench.peers.rabbitmq import RabbitMQ

METHOD, HEADER, BODY = 1, 2, 3
"""Kinds of frames."""
PREFETCH = 1000
CHANNEL, CHANNELS = 1, 2047
FRAME_BYTES = 131_072
HEAD = Struct(">BHI")
"""Of a frame: kind, channel, bytes of what follows, without the end byte."""
ACK = Struct(">IQB")
PERSISTENT, TRANSIENT = 2, 1

Method = tuple[int, int]
START, START_OK = (10, 10), (10, 11)
TUNE, TUNE_OK = (10, 30), (10, 31)
OPEN, OPEN_OK = (10, 40), (10, 41)
CHANNEL_OPEN, CHANNEL_OPEN_OK = (20, 10), (20, 11)
DECLARE, DECLARE_OK, DELETE, DELETE_OK = (50, 10), (50, 11), (50, 40), (50, 41)
QOS, QOS_OK, CONSUME, CONSUME_OK = (60, 10), (60, 11), (60, 20), (60, 21)
PUBLISH, DELIVER, ACKNOWLEDGE = (60, 40), (60, 60), (60, 80)
CONFIRM, CONFIRM_OK = (85, 10), (85, 11)


def frame(kind: int, payload: bytes, channel: int = CHANNEL) -> bytes:
    return HEAD.pack(kind, channel, len(payload)) + payload + b"\xce"


def short(text: str) -> bytes:
    return pack(">B", len(text)) + text.encode()


def table(**entries: str) -> bytes:
    """Of texts alone."""
    fields = b"".join(
        short(name.replace("_", "-")) + b"S" + pack(">I", len(text)) + text.encode() for name, text in entries.items()
    )
    return pack(">I", len(fields)) + fields


class Amqp(Connection):
    """`multiple`: acknowledge all that came by one frame, else each by its own."""

    def __init__(self, queue: str, delivery_mode: int, multiple: bool) -> None:
        super().__init__()
        self._answers: list[Method] = []
        self._multiple = multiple
        self._tag = 0
        self._confirmed_to = 0
        self._confirmed_above: set[int] = set()
        body = MESSAGE.encode()
        self._message = (
            frame(METHOD, pack(">HHH", *PUBLISH, 0) + short("") + short(queue) + b"\0")
            + frame(HEADER, pack(">HHQHB", PUBLISH[0], 0, len(body), 0x1000, delivery_mode))
            + frame(BODY, body)
        )

    async def open(self) -> None:
        self.transport.write(b"AMQP\x00\x00\x09\x01")
        await self._heard(START)
        login = short("PLAIN") + pack(">I", 12) + b"\0guest\0guest" + short("en_US")
        self._tell(START_OK, table() + login, channel=0)
        await self._heard(TUNE)
        self._tell(TUNE_OK, pack(">HIH", CHANNELS, FRAME_BYTES, 0), channel=0)
        self._tell(OPEN, short("/") + b"\0\0", channel=0)
        await self._heard(OPEN_OK)
        await self.call(CHANNEL_OPEN, b"\0", CHANNEL_OPEN_OK)

    async def call(self, method: Method, arguments: bytes, answer: Method) -> None:
        self._tell(method, arguments)
        await self._heard(answer)

    async def finish(self) -> None:
        # Answered in order behind the acknowledgements.
        await self.call(QOS, pack(">IHB", 0, PREFETCH, 0), QOS_OK)

    def publish(self, count: int) -> None:
        self.transport.write(self._message * count)

    def acknowledge(self, tokens: list[Any]) -> None:
        tags = [tag for tag, _ in tokens]
        acknowledged = tags[-1:] if self._multiple else tags
        self.transport.write(
            b"".join(frame(METHOD, pack(">HHQB", *ACKNOWLEDGE, tag, self._multiple)) for tag in acknowledged)
        )

    def take(self, data: bytes) -> int:
        at, end = 0, len(data)
        while end - at >= HEAD.size:
            kind, _, size = HEAD.unpack_from(data, at)
            begin, after = at + HEAD.size, at + HEAD.size + size + 1
            if after > end:
                break
            if kind == BODY:
                self.inbox.append((self._tag, data[begin : begin + size]))
            elif kind == METHOD:
                self._method(data, begin)
            at = after
        return at

    def _method(self, data: bytes, begin: int) -> None:
        method: Method = unpack_from(">HH", data, begin)
        if method == DELIVER:
            (self._tag,) = unpack_from(">Q", data, begin + 5 + data[begin + 4])
        elif method == ACKNOWLEDGE:
            _, tag, multiple = ACK.unpack_from(data, begin)
            self._note_confirm(tag, multiple)
        elif method in ((10, 50), (20, 40), (60, 120)):
            raise ConnectionError(f"RabbitMQ refused: {data[begin:]!r}")
        else:
            self._answers.append(method)

    def _note_confirm(self, tag: int, multiple: bool) -> None:
        if multiple:
            above = {other for other in self._confirmed_above if other > tag}
            self.answer(tag - self._confirmed_to - len(self._confirmed_above) + len(above))
            self._confirmed_to, self._confirmed_above = tag, above
        else:
            self._confirmed_above.add(tag)
            self.answer()
        while self._confirmed_to + 1 in self._confirmed_above:
            self._confirmed_to += 1
            self._confirmed_above.remove(self._confirmed_to)

    def _tell(self, method: Method, arguments: bytes, channel: int = CHANNEL) -> None:
        self.transport.write(frame(METHOD, pack(">HH", *method) + arguments, channel))

    async def _heard(self, method: Method) -> None:
        await self.until(lambda: method in self._answers)
        self._answers.remove(method)


@asynccontextmanager
async def amqp(server: RabbitMQ, *, kind: str, multiple: bool = False, receive: bool = True) -> AsyncIterator[Client]:
    """`kind`: classic or quorum. With `multiple` all that came is acknowledged by one frame."""
    queue, durable = server.new_name(), server.durability == "Fsync"
    make = partial(Amqp, queue, PERSISTENT if durable else TRANSIENT, multiple)
    producer, consumer = await connect(server.port, make), await connect(server.port, make)
    await producer.open()
    await consumer.open()
    declared = pack(">H", 0) + short(queue) + pack(">B", 2 * durable) + table(x_queue_type=kind)
    await producer.call(DECLARE, declared, DECLARE_OK)
    await producer.call(CONFIRM, b"\0", CONFIRM_OK)
    await consumer.call(QOS, pack(">IHB", 0, PREFETCH, 0), QOS_OK)
    if receive:
        await consumer.call(CONSUME, pack(">H", 0) + short(queue) + short("") + b"\0" + table(), CONSUME_OK)
    pair = Pair(producer, consumer)
    yield pair
    await producer.call(DELETE, pack(">H", 0) + short(queue) + b"\0", DELETE_OK)
    pair.close()
