"""Admission: how much of clients' bodies a broker holds at once, over all faces of its HTTP port.

A body is held until its request is answered, so a store that does not answer cannot fill the memory.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from quintet_broker.errors import Overloaded

HELD_BYTES = 64 * 1024 * 1024
"""Each byte is kept about three times: in the body, in what is decoded of it, in a record."""


class Admission:
    """Belongs to one application."""

    def __init__(self, most: int = HELD_BYTES) -> None:
        self._room = most

    @contextmanager
    def hold(self, request: web.Request) -> Iterator[None]:
        """Room for a request's body while it is served. Raises Overloaded."""
        size = request.content_length
        if size is None:
            size = request.client_max_size if request.body_exists else 0
        if size > self._room:
            raise Overloaded
        self._room -= size
        try:
            yield
        finally:
            self._room += size


ADMISSION = web.AppKey("admission", Admission)
