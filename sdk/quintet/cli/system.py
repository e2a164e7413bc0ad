"""A system that a command works on, wherever it runs: what `running` and `cluster` are."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from quintet import Client

TIMEOUT = 10.0
"""Seconds for which a command tries again what fails in passing, beside its wait."""


class Broker(NamedTuple):
    """One that runs."""

    pool: str
    name: str
    admin: str
    """URL of its admin port."""


class System(Protocol):
    """Queues, and the brokers that serve them."""

    def client(self, queue: str, *, whole_pool: bool = False) -> AbstractAsyncContextManager[Client]:
        """For a queue; with `whole_pool` it may do what no queue's own key may. Raises CannotRun."""
        ...

    def brokers(self) -> AbstractAsyncContextManager[Sequence[Broker]]:
        """All that run, to be asked as long as the context is open. Raises CannotRun."""
        ...
