"""The brokers' admin port: the only file that talks to it."""

import gzip
from collections.abc import Callable
from http import HTTPStatus

import aiohttp
from pydantic import ValidationError

from quintet_api.broker_pool import BrokerPool
from quintet_api.topology import TopologyDocument, TopologyStatus
from quintet_operator.builders.addresses import admin_url
from quintet_operator.fence import Fence, open_fence, trace

ASK_WITHIN = aiohttp.ClientTimeout(total=8.0, sock_connect=2.0)
"""Seconds."""
TELL_WITHIN = aiohttp.ClientTimeout(total=60.0, sock_connect=2.0)
"""Seconds, in which thousands of new queues are applied. A document that comes late is refused by its revision."""
PACKED_FROM = 64 * 1024
"""Bytes from which on a document is gzipped."""


class BrokerError(Exception):
    """The brokers gave no answer that can be used; the message says why."""


class RevisionConflict(BrokerError):
    """The brokers hold a newer document."""


class BrokerClient:
    """Asks a pool's first broker, which speaks for all."""

    def __init__(self, fence: Fence, address: Callable[[BrokerPool], str] = admin_url) -> None:
        self._fence = fence
        self._address = address
        self._session = aiohttp.ClientSession(timeout=ASK_WITHIN, trace_configs=[trace()])

    async def close(self) -> None:
        await self._session.close()

    async def get(self, pool: BrokerPool, token: str) -> TopologyStatus:
        """Raises BrokerError."""
        return await self._ask("GET", pool, token)

    async def put(self, pool: BrokerPool, token: str, document: TopologyDocument) -> TopologyStatus:
        """Raises BrokerError, RevisionConflict, and what the fence raises."""
        body, headers = document.model_dump_json(by_alias=True).encode(), {"Content-Type": "application/json"}
        if len(body) >= PACKED_FROM:
            body, headers["Content-Encoding"] = gzip.compress(body, 5), "gzip"
        return await self._ask("PUT", pool, token, body, headers, self._fence)

    async def _ask(
        self,
        method: str,
        pool: BrokerPool,
        token: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        fence: Fence = open_fence,
    ) -> TopologyStatus:
        try:
            async with self._session.request(
                method,
                f"{self._address(pool)}/admin/v1/topology",
                data=body,
                headers=(headers or {}) | {"Authorization": f"Bearer {token}"},
                timeout=ASK_WITHIN if body is None else TELL_WITHIN,
                trace_request_ctx=fence,
            ) as response:
                return _answer(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise BrokerError(str(error) or "no answer in time") from error


def _answer(status: int, body: bytes) -> TopologyStatus:
    if status == HTTPStatus.CONFLICT:
        raise RevisionConflict("they hold a newer document")
    if status != HTTPStatus.OK:
        raise BrokerError(f"HTTP {status}: {body.decode(errors='replace')[:500]}")
    try:
        return TopologyStatus.model_validate_json(body)
    except ValidationError as error:
        raise BrokerError(f"the answer cannot be read: {error}") from error
