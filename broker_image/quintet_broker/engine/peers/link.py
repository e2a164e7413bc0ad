"""Link: this broker's way to another one of the pool."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from msgspec import Raw

from quintet_broker.engine.peers import wire
from quintet_broker.engine.peers.connection import BROKEN, SPEAKS_EVERY, Connection
from quintet_broker.engine.peers.wire import Answer, Call, Cancel, Refusal
from quintet_broker.engine.pool.owners import Member
from quintet_broker.engine.requests import Receive, Request
from quintet_broker.errors import BrokerError, NotOwner, Overloaded, Unavailable

logger = logging.getLogger(__name__)

RECONNECT_AFTER = (0.02, 0.5)
"""Seconds before the first and, at most, before later attempts."""
SPEAKS_WITHIN = 2 * SPEAKS_EVERY
"""Seconds in which a broker that has left says something, unless it stands still or is cut off."""


class Link:
    """Connected, as long as that is possible, until `close`."""

    def __init__(
        self,
        member: Member,
        secret: bytes,
        generation: Callable[[], int],
        heard: Callable[[int], None],
    ) -> None:
        """`heard` is told each generation that the other end knows."""
        self.member = member
        self._secret = secret
        self._generation = generation
        self._heard = heard
        self._connection: Connection | None = None
        self._requests: dict[int, Request[Any]] = {}
        """Asked and not answered."""
        self._calls: dict[int, asyncio.Future[Raw]] = {}
        self._answered = asyncio.Event()
        """Whether it was so lately that nothing was left to be answered."""
        self._last = 0
        self._heard_at = 0.0
        """Seconds: by the loop's clock."""
        self._running = asyncio.create_task(self._run())

    def ask(self, shard: int, request: Request[Any]) -> None:
        """Have the other broker serve a request. Raises NotOwner where it cannot be asked, Overloaded."""
        connection = self._connected()
        self._last += 1
        number = self._last
        connection.send(wire.ask(number, shard, request))
        self._requests[number] = request
        request.future.add_done_callback(lambda future: self._cancel(number) if future.cancelled() else None)

    async def call(self, verb: str, argument: bytes) -> Raw:
        """The other broker's answer to a verb. Raises BrokerError, NotOwner where it cannot be asked."""
        connection = self._connected()
        self._last += 1
        number = self._last
        future: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()
        self._calls[number] = future
        try:
            connection.send(Call(number, verb, argument))
            return await future
        finally:
            del self._calls[number]

    def end_waits(self) -> None:
        """Answer the receives that wait with nothing; what is on its way to them is given back."""
        for number, request in self._requests.items():
            if isinstance(request, Receive) and not request.future.done():
                request.answer([])
                self._cancel(number)

    async def settled(self) -> None:
        """Until all that was asked is answered: also what was cancelled, of which the other end may have delivered."""
        while self._requests:
            self._answered.clear()
            await self._answered.wait()

    async def retire(self) -> None:
        """The other broker has left the pool: close the link once it has answered what it was asked, as what it
        delivered is to be heard, or is silent."""
        loop = asyncio.get_running_loop()
        try:
            while self._requests and loop.time() < self._heard_at + SPEAKS_WITHIN:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(self._heard_at + SPEAKS_WITHIN):
                        await self.settled()
        finally:
            self.close()

    def poke(self) -> None:
        """Tell the generation."""
        if self._connection:
            self._connection.flush()

    def close(self) -> None:
        self._running.cancel()
        self._disconnect()

    def _connected(self) -> Connection:
        if self._connection is None:
            raise NotOwner(f"{self.member.name} cannot be reached.")
        return self._connection

    def _cancel(self, number: int) -> None:
        if number in self._requests and self._connection:
            try:
                self._connection.send(Cancel(number))
            except Overloaded:
                logger.info("%s does not read", self.member.name)

    # The connection

    async def _run(self) -> None:
        pause, longest = RECONNECT_AFTER
        while True:
            try:
                self._connection = await Connection.open(self.member.peer, self._secret, self._generation)
                self._heard_at = asyncio.get_running_loop().time()
                pause, _ = RECONNECT_AFTER
                logger.info("linked to %s", self.member.name)
                while True:
                    self._take(await self._connection.receive())
            except BROKEN as error:
                logger.info("no link to %s: %s", self.member.name, error or type(error).__name__)
            self._disconnect()
            await asyncio.sleep(pause)
            pause = min(2 * pause, longest)

    def _disconnect(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None
        lost, self._requests = self._requests, {}
        self._answered.set()
        for request in lost.values():
            request.refuse(_unanswered(request))
        for future in self._calls.values():
            if not future.done():
                future.set_exception(Unavailable(f"{self.member.name} did not answer."))

    def _take(self, frame: wire.Frame) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._heard(frame.generation)
        for message in frame.messages:
            if isinstance(message, Answer | Refusal):
                if message.id in self._requests:
                    _answer(self._requests[message.id], message)
                    del self._requests[message.id]
                    if not self._requests:
                        self._answered.set()
                elif future := self._calls.get(message.id):
                    _settle(future, message)


def _answer(request: Request[Any], message: Answer | Refusal) -> None:
    if isinstance(message, Refusal):
        request.refuse(wire.error(message))
    else:
        request.answer(wire.value(message, request.answer_type))


def _settle(future: asyncio.Future[Raw], message: Answer | Refusal) -> None:
    if future.done():
        return
    if isinstance(message, Answer):
        future.set_result(message.value)
    else:
        future.set_exception(wire.error(message))


def _unanswered(request: Request[Any]) -> BrokerError:
    """What becomes of a request when the link breaks: it is asked again, but for one that might be stored twice."""
    return NotOwner() if request.is_idempotent else Unavailable()
