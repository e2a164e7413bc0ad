"""Arrivals: what was asked of a shard and no tick took yet."""

import math
from collections import deque
from typing import Any, Protocol

from quintet_broker.engine.requests import Request
from quintet_broker.errors import BrokerError, Overloaded

WAITING_BYTES = 64 * 1024 * 1024
"""What a broker holds, over all its shards, that no tick took yet."""


class Waiting(Protocol):
    """What all shards of a broker share of their arrivals."""

    waiting_bytes: int
    """Bytes of all requests that no tick took yet."""


class Arrivals:
    """Requests in the order in which they came, within what the whole broker may hold."""

    def __init__(self, shared: Waiting) -> None:
        self._shared = shared
        self._requests: deque[Request[Any]] = deque()

    def __bool__(self) -> bool:
        return bool(self._requests)

    def add(self, request: Request[Any]) -> None:
        """Raises Overloaded."""
        if request.size and self._shared.waiting_bytes + request.size > WAITING_BYTES:
            raise Overloaded
        self._requests.append(request)
        self._shared.waiting_bytes += request.size

    def put_back(self, request: Request[Any]) -> None:
        """One that a tick took in vain: it is the first again, if its client still waits."""
        if request.future.done():
            return
        self._requests.appendleft(request)
        self._shared.waiting_bytes += request.size

    def take(self) -> Request[Any] | None:
        """The first whose client still waits."""
        while self._requests:
            request = self._requests.popleft()
            self._shared.waiting_bytes -= request.size
            if not request.future.done():
                return request
        return None

    def refuse(self, error: BrokerError, before: float = math.inf) -> None:
        """Refuse what should have been answered before that millisecond."""
        kept = deque[Request[Any]]()
        for request in self._requests:
            if request.owed_at < before:
                request.refuse(error)
                self._shared.waiting_bytes -= request.size
            else:
                kept.append(request)
        self._requests = kept
