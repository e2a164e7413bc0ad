"""Runs a row's contenders in turn, round by round, so that whatever else the machine does meets them all alike."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from tests.bench.flow import Run
from tests.bench.system import System
from tools.shell import Failed

OURS = System.title
WARM_UP = 10
"""That part of a round comes first and is not counted: it tells how many messages a round has for who is slow."""
ROUND = 1.5
"""Seconds, about, of a round: who is slow brings fewer messages."""
MEMORY, FSYNC = ("Memory",), ("Fsync",)
BOTH = (*MEMORY, *FSYNC)


class Server(Protocol):
    """What a contender talks to, of one durability. It is made for one row, and goes with it."""

    durability: str

    def start(self) -> None: ...
    def close(self) -> None: ...
    def new_name(self) -> str: ...
    def cpu(self) -> dict[str, float]: ...
    def memory(self) -> dict[str, float]: ...


class ServerKind(Protocol):
    """A class of servers. Making one raises Failed where it cannot be had."""

    title: str
    """As tables name it."""
    promises: dict[str, str]
    """What its confirm means, by the durability of ours that it stands beside."""

    def __call__(self, durability: str) -> Server: ...


Open = Callable[[Any], AbstractAsyncContextManager[Run]]
"""Gets a server of the right kind. Raises Failed where it needs what cannot be had."""


@dataclass(frozen=True)
class Contender:
    name: str
    server: Any
    """A ServerKind."""
    open: Open
    durabilities: Sequence[str] = BOTH


@dataclass(frozen=True)
class Row:
    """One kind of work, and who does it."""

    title: str
    contenders: Sequence[Contender]
    messages: int
    """Of a round at most, if nothing else is asked for."""
    once: bool = False
    """Whether a round is so long that one has to do; then it has all messages."""


@dataclass(frozen=True)
class Measure:
    """One run."""

    rate: float
    """Messages a second."""
    cpu: dict[str, float]
    """Seconds for 10,000 messages, by process of the server; `clients` are this process and those that it ran."""
    figures: dict[str, float]
    """What else the run measured."""


@dataclass
class Line:
    """All runs of one contender at one durability."""

    contender: str
    server: str
    durability: str
    promise: str
    messages: int
    """Of a round."""
    runs: list[Measure]


@dataclass
class Results:
    row: Row
    lines: list[Line]
    left_out: list[str]
    """Who, and why."""


def run(
    row: Row,
    rounds: int,
    messages: int | None = None,
    peers: Sequence[str] | None = None,
    durabilities: Sequence[str] = BOTH,
) -> Results:
    """`peers`: how titles of others that take part begin, in any case; None: all."""
    results, count = Results(row, [], []), messages or row.messages
    wanted = [one for one in row.contenders if peers is None or _takes_part(one.server.title, peers)]
    with ExitStack() as stack:
        parts = _parts(_Servers(stack), wanted, durabilities, count, results.left_out)
        for number in range(1 if row.once else 1 + rounds):
            for part in list(parts):
                try:
                    if number or row.once:
                        part.run()
                    else:
                        _warm_up(part, count)
                except Exception as error:
                    # What another system does not do is told; what ours does not do is a defect.
                    if part.line.server == OURS and not isinstance(error, Failed):
                        raise
                    results.left_out.append(f"{part.line.contender}, {part.line.durability}: {error!r}")
                    parts.remove(part)
        results.lines = [part.line for part in parts]
    return results


def _parts(
    servers: "_Servers", contenders: Sequence[Contender], durabilities: Sequence[str], count: int, left_out: list[str]
) -> list["_Part"]:
    """Who takes part; who cannot is told in `left_out`."""
    parts = []
    for durability in durabilities:
        for contender in [one for one in contenders if durability in one.durabilities]:
            kind = contender.server
            try:
                server = servers.get(kind, durability)
            except Failed as error:
                left_out.append(f"{contender.name}, {durability}: {error}")
                continue
            line = Line(contender.name, kind.title, durability, kind.promises[durability], count, [])
            parts.append(_Part(contender, server, line))
    return parts


@dataclass(frozen=True)
class _Part:
    """A contender beside its server, and what became of it."""

    contender: Contender
    server: Server
    line: Line

    def run(self) -> None:
        self.line.runs.append(asyncio.run(self.bring(self.line.messages)))

    async def bring(self, messages: int) -> Measure:
        async with self.contender.open(self.server) as bring:
            return await measure(bring, self.server, messages)


def _warm_up(part: _Part, count: int) -> None:
    """Find out how many messages its rounds have."""
    least = count // WARM_UP
    rate = asyncio.run(part.bring(least)).rate
    part.line.messages = max(least, min(count, round(rate * ROUND)))


def _takes_part(title: str, peers: Sequence[str]) -> bool:
    return title == OURS or any(title.lower().startswith(peer.lower()) for peer in peers)


class _Servers:
    """Those of one row: one for each kind and durability, started when it is first wanted."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._made: dict[tuple[Any, str], Server | Failed] = {}

    def get(self, kind: ServerKind, durability: str) -> Server:
        """Raises Failed where it cannot be had."""
        if (kind, durability) not in self._made:
            try:
                self._made[kind, durability] = self._stack.enter_context(_running(kind, durability))
            except Failed as error:
                self._made[kind, durability] = error
        made = self._made[kind, durability]
        if isinstance(made, Failed):
            raise made
        return made


@contextmanager
def _running(kind: ServerKind, durability: str) -> Iterator[Server]:
    server = kind(durability)
    try:
        server.start()
        yield server
    finally:
        server.close()


async def measure(bring: Run, server: Server, messages: int) -> Measure:
    before, own = server.cpu(), _computed_here()
    began = time.perf_counter()
    done = await bring(messages)
    took = time.perf_counter() - began
    computed = {"clients": _computed_here() - own}
    computed |= {name: after - before[name] for name, after in server.cpu().items()}
    share = 10_000 / done.messages
    return Measure(done.messages / took, {name: share * seconds for name, seconds in computed.items()}, done.figures)


def _computed_here() -> float:
    """Seconds of this process and the ended ones that it ran."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
