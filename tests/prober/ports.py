"""How a prober talks to a queue: a small protocol, and an implementation for each client."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp


class Unanswered(Exception):
    """The request was refused as worth a retry, or nobody knows what became of it."""


@dataclass(frozen=True)
class Received:
    """One delivery."""

    body: str
    id: str
    handle: Any
    """What the client needs to acknowledge it."""


class Port(Protocol):
    """One queue, through one client. Every verb may raise Unanswered."""

    async def send(self, body: str, key: str) -> None:
        """Return once it is confirmed."""

    async def receive(self, limit: int, wait: float, visibility: float) -> list[Received]:
        """Up to `limit` messages; wait and visibility in seconds."""

    async def acknowledge(self, received: Sequence[Received]) -> list[bool]:
        """For each, whether its acknowledgement was confirmed."""


class HttpPort:
    """/v1/ without a client."""

    def __init__(self, session: aiohttp.ClientSession, url: str, queue: str) -> None:
        self._session = session
        self._url = f"{url}/v1/queues/{queue}/messages"

    async def send(self, body: str, key: str) -> None:
        await self._post("", {"messages": [{"value": body, "key": key}]})

    async def receive(self, limit: int, wait: float, visibility: float) -> list[Received]:
        asked = {
            "limit": limit,
            "wait": f"{round(wait * 1000)}ms",
            "visibilityTimeout": f"{round(visibility * 1000)}ms",
        }
        answer = await self._post(":receive", asked)
        return [Received(message["value"], message["id"], message["receipt"]) for message in answer["messages"]]

    async def acknowledge(self, received: Sequence[Received]) -> list[bool]:
        answer = await self._post(":acknowledge", {"receipts": [message.handle for message in received]})
        return [result is None for result in answer["results"]]

    async def _post(self, verb: str, body: dict[str, Any]) -> Any:
        try:
            async with self._session.post(self._url + verb, json=body) as response:
                if response.status in (404, 429, 503):
                    # A broker that has just started knows no queue before it has read which there are.
                    raise Unanswered(await response.text())
                response.raise_for_status()
                return await response.json()
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError) as error:
            raise Unanswered(str(error)) from error
