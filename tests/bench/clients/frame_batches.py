"""Our own protocol by hand, with messages encoded together: what the broker can do where nobody opens them."""

from functools import cache
from typing import Any

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from tests.bench.clients.frames import ACKNOWLEDGE, CREDIT, GRANT, RECEIVE, RECEIVES, Frames
from tests.bench.flow import MESSAGE

SEND_BATCH, DELIVER_BATCHES, STORED = 8, 22, 23
MAX_BYTES = 16 * 2**20


@cache
def encoded(count: int) -> bytes:
    """So many messages as a batch."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, MAX_BYTES)
    for offset in range(count):
        builder.append(offset, 0, None, MESSAGE.encode(), [])
    return bytes(builder.build())


class FrameBatches(Frames):
    def __init__(self, queue: str) -> None:
        super().__init__(queue)
        self._sent: dict[int, int] = {}
        """Messages, by the id of their send."""

    def receive(self) -> None:
        self.tell(RECEIVES, RECEIVE, self.queue, CREDIT, False, None, None, None, None, True)

    def publish(self, count: int) -> None:
        self.id += 1
        self._sent[self.id] = count
        self.tell(SEND_BATCH, self.id, self.queue, None, 0, encoded(count))

    async def settle(self) -> int:
        await self.until(lambda: bool(self.inbox))
        tokens, self.inbox = self.inbox, []
        self.acknowledge(tokens)
        await self.answers(1)
        count = sum(int(count) for _, count, _ in tokens)
        self.tell(GRANT, RECEIVE, count)
        return count

    def acknowledge(self, tokens: list[Any]) -> None:
        self.id += 1
        self.tell(ACKNOWLEDGE, self.id, self.queue, [[handle, count] for handle, count, _ in tokens])

    def frame(self, tag: int, *elements: Any) -> None:
        if tag == STORED:
            self.answer(self._sent.pop(elements[0]))
        elif tag == DELIVER_BATCHES:
            self.inbox += [(found[0], found[2], found[6]) for found in elements[1]]
        else:
            super().frame(tag, *elements)
