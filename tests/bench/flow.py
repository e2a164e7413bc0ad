"""What every contender does: producers send, consumers receive and acknowledge, all at once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Done:
    """What a run came to."""

    messages: int
    figures: dict[str, float] = field(default_factory=dict)
    """What was measured beside the rate, by its name with the unit."""


Run = Callable[[int], Awaitable[Done]]
"""Brings so many messages all the way: sent, confirmed, received, acknowledged."""

MESSAGE = "x" * 1024


async def flow(
    count: int,
    batch: int,
    send: Callable[[int], Awaitable[None]],
    settle: Callable[[], Awaitable[int]],
    producers: int,
    consumers: int,
    exact: bool = True,
) -> Done:
    """`send` brings so many messages in and is confirmed; `settle` receives some, acknowledges them, tells how many.

    Raises RuntimeError where more messages come out than went in, unless others were there before.
    """
    unsent, settled = count, 0
    done = asyncio.Event()

    async def produce() -> None:
        nonlocal unsent
        while unsent:
            some = min(batch, unsent)
            unsent -= some
            await send(some)

    async def consume() -> None:
        nonlocal settled
        while settled < count:
            # Not in one statement: the sum would be taken before the others' that come meanwhile.
            some = await settle()
            settled += some
        done.set()

    async with asyncio.TaskGroup() as group:
        for _ in range(producers):
            group.create_task(produce())
        workers = [group.create_task(consume()) for _ in range(consumers)]
        await done.wait()
        # The others wait for messages that will not come.
        for worker in workers:
            worker.cancel()
    if exact and settled != count:
        raise RuntimeError(f"{count} messages were sent, {settled} received")
    return Done(settled)
