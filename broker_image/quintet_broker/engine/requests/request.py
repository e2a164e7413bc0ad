"""Request: asked of a shard, and not yet answered."""

import asyncio
import copy
from typing import Any, ClassVar, Generic, Self, TypeVar

from quintet_broker.errors import BrokerError

Answer = TypeVar("Answer")
Place = tuple[int, int]
"""(log, offset) of a record."""
Receipt = tuple[int, int, int, int]
"""(log, offset, nonce, count) of records that were delivered together: the first offset, and how many they are."""


class Request(Generic[Answer]):
    """Asked, and not yet answered."""

    size = 0
    """Bytes that it keeps in memory."""
    settles = 0
    """Records that it is about, one by one at worst."""
    answer_type: ClassVar[Any] = None

    def __init__(self, at: int) -> None:
        self.at = at
        """Milliseconds since 1970."""
        self.future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def again(self) -> Self:
        """The same, not asked yet."""
        request = copy.copy(self)
        request.future = asyncio.get_running_loop().create_future()
        return request

    @property
    def owed_at(self) -> int:
        """Millisecond from which it should have an answer."""
        return self.at

    @property
    def is_idempotent(self) -> bool:
        """Whether it may be asked again though nobody knows whether it was done."""
        return True

    def answer(self, answer: Answer) -> None:
        if not self.future.done():
            self.future.set_result(answer)

    def refuse(self, error: BrokerError) -> None:
        if not self.future.done():
            self.future.set_exception(error)
