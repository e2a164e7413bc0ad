"""The brokers' admin port: the only file that talks to it."""

import gzip
import time
from collections import defaultdict
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import aiohttp
from pydantic import ValidationError

from quintet_api.broker_pool import BrokerPool
from quintet_api.topology import TopologyDocument, TopologyStatus
from quintet_operator.builders.addresses import admin_url
from quintet_operator.fence import Fence, open_fence, trace

ASK_WITHIN = aiohttp.ClientTimeout(total=8.0, sock_connect=2.0)
"""Seconds, of one broker."""
TURNS_WITHIN = 15.0
"""Seconds, after which no other broker is asked."""
TELL_WITHIN = aiohttp.ClientTimeout(total=60.0, sock_connect=2.0)
"""Seconds, in which thousands of new queues are applied. A document that comes late is refused by its revision."""
PACKED_FROM = 64 * 1024
"""Bytes from which on a document is gzipped."""


class BrokerError(Exception):
    """The brokers gave no answer that can be used; the message says why."""


class RevisionConflict(BrokerError):
    """The brokers hold a newer document."""


class BrokerClient:
    """Asks any broker of a pool, since each speaks for all: the one that answered last, and others in turn."""

    def __init__(
        self,
        fence: Fence,
        address: Callable[[BrokerPool, int], str] = admin_url,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fence = fence
        self._address = address
        self._clock = clock
        self._turn: defaultdict[str, int] = defaultdict(int)
        """By a pool's uid: the number of the broker that is asked next."""
        self._session = aiohttp.ClientSession(timeout=ASK_WITHIN, trace_configs=[trace()])

    async def close(self) -> None:
        await self._session.close()

    async def get(self, pool: BrokerPool, token: str) -> TopologyStatus:
        """Raises BrokerError."""
        request = {"headers": _bearer(token), "timeout": ASK_WITHIN, "trace_request_ctx": open_fence}
        return await self._ask(pool, method="GET", **request)

    async def put(self, pool: BrokerPool, token: str, document: TopologyDocument) -> TopologyStatus:
        """Raises BrokerError, RevisionConflict, and what the fence raises."""
        body, headers = document.model_dump_json(by_alias=True).encode(), {"Content-Type": "application/json"}
        if len(body) >= PACKED_FROM:
            body, headers["Content-Encoding"] = gzip.compress(body, 5), "gzip"
        request = {"headers": headers | _bearer(token), "timeout": TELL_WITHIN, "trace_request_ctx": self._fence}
        return await self._ask(pool, method="PUT", data=body, **request)

    async def _ask(self, pool: BrokerPool, **request: Any) -> TopologyStatus:
        """The first answer. A document that reached two brokers is the same one twice."""
        deadline = self._clock() + TURNS_WITHIN
        for _ in range(pool.spec.replicas - 1):
            try:
                return await self._ask_next(pool, **request)
            except RevisionConflict:
                raise
            except BrokerError:
                if self._clock() > deadline:
                    raise
        return await self._ask_next(pool, **request)

    async def _ask_next(self, pool: BrokerPool, **request: Any) -> TopologyStatus:
        """The broker whose turn it is: the same one as long as it answers."""
        uid = pool.metadata.uid
        address = self._address(pool, self._turn[uid] % pool.spec.replicas)
        try:
            return await self._ask_one(f"{address}/admin/v1/topology", **request)
        except BrokerError:
            self._turn[uid] += 1
            raise

    async def _ask_one(self, url: str, **request: Any) -> TopologyStatus:
        try:
            async with self._session.request(url=url, **request) as response:
                return _answer(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise BrokerError(str(error) or "no answer in time") from error


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _answer(status: int, body: bytes) -> TopologyStatus:
    if status == HTTPStatus.CONFLICT:
        raise RevisionConflict("they hold a newer document")
    if status != HTTPStatus.OK:
        raise BrokerError(f"HTTP {status}: {body.decode(errors='replace')[:500]}")
    try:
        return TopologyStatus.model_validate_json(body)
    except ValidationError as error:
        raise BrokerError(f"the answer cannot be read: {error}") from error
