"""Lets a write out only while the Lease holds, looked at when nothing is left but to send it."""

from collections.abc import Callable
from types import SimpleNamespace

import aiohttp

Fence = Callable[[], None]
"""Raises where nothing may be written any more."""


def open_fence() -> None:
    """For what is no write, and for writes of the Lease itself."""


def trace() -> aiohttp.TraceConfig:
    """For a session whose requests have a Fence as `trace_request_ctx`.

    A check before the request would not do: a process can be stopped for longer than its Lease while it waits
    for a connection. aiohttp calls these when it has one, and sends without waiting for anything else.
    """
    config = aiohttp.TraceConfig()
    config.on_connection_create_end.append(_check)
    config.on_connection_reuseconn.append(_check)
    return config


async def _check(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx()
