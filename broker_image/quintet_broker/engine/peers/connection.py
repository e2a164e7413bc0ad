"""Connection: one connection between two brokers, from either end.

Both prove that they know the pool's secret before anything else is said: each answers the other's random bytes with
their HMAC-SHA256 under it.
"""

import asyncio
import hmac
import secrets
from collections.abc import Callable

import msgspec

from quintet_broker.engine.peers import wire
from quintet_broker.engine.peers.wire import Frame, Message
from quintet_broker.errors import Overloaded

NONCE_BYTES = 32
FRAME_MAX = 256 * 1024 * 1024
"""Bytes; longer ones are no frames of ours."""
UNSENT_MAX = 64 * 1024 * 1024
"""Bytes that may wait for a broker that does not read."""
READ_AHEAD = 1024 * 1024
"""Bytes that are read before somebody wants them."""
SPEAKS_EVERY = 1.0
"""Seconds between two frames, at most."""
SILENT_FOR = 5.0
"""Seconds without a frame after which the other end counts as gone."""
HELLO_WITHIN = 2.0
"""Seconds."""
CLOSES_WITHIN = 5.0
"""Seconds for what is unsent to go; what the other end does not read by then is dropped."""
BROKEN = (OSError, EOFError, TimeoutError, msgspec.DecodeError, ValueError)
"""What ends a connection."""


class Connection:
    """Open from `open` or `accept` until `close` or an error of `frames`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, generation: Callable[[], int]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._generation = generation
        self._unsent: list[Message] = []
        # At once: that is how others hear of a broker that has just come.
        self._speaking: asyncio.Handle = asyncio.get_running_loop().call_soon(self._speak)

    @classmethod
    async def open(cls, address: str, secret: bytes, generation: Callable[[], int]) -> "Connection":
        """Connect to host:port. Raises one of BROKEN."""
        host, _, port = address.rpartition(":")
        async with asyncio.timeout(HELLO_WITHIN):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port), limit=READ_AHEAD)
            try:
                await _prove(reader, writer, secret, b"from", b"to")
            except BaseException:
                writer.close()
                raise
        return cls(reader, writer, generation)

    @classmethod
    async def accept(
        cls, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secret: bytes, generation: Callable[[], int]
    ) -> "Connection":
        """Raises one of BROKEN."""
        async with asyncio.timeout(HELLO_WITHIN):
            await _prove(reader, writer, secret, b"to", b"from")
        return cls(reader, writer, generation)

    def send(self, message: Message) -> None:
        """With all else of this turn of the event loop. Raises Overloaded."""
        if self._writer.transport.get_write_buffer_size() > UNSENT_MAX:
            raise Overloaded
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self.flush)
        self._unsent.append(message)

    def flush(self) -> None:
        """Send what waits, or else an empty frame: it tells the generation."""
        unsent, self._unsent = self._unsent, []
        if not self._writer.is_closing():
            self._writer.write(wire.frame(self._generation(), unsent))

    async def receive(self) -> Frame:
        """The next frame. Raises one of BROKEN."""
        async with asyncio.timeout(SILENT_FOR):
            length = int.from_bytes(await self._reader.readexactly(wire.LENGTH_BYTES))
            if length > FRAME_MAX:
                raise ValueError(f"a frame of {length} bytes")
            return wire.messages(await self._reader.readexactly(length))

    def _speak(self) -> None:
        self.flush()
        self._speaking = asyncio.get_running_loop().call_later(SPEAKS_EVERY, self._speak)

    def close(self) -> None:
        self._speaking.cancel()
        if not self._writer.is_closing():
            self._writer.close()
            asyncio.get_running_loop().call_later(CLOSES_WITHIN, self._writer.transport.abort)


async def _prove(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secret: bytes, mine: bytes, others: bytes
) -> None:
    nonce = secrets.token_bytes(NONCE_BYTES)
    writer.write(nonce)
    asked = await reader.readexactly(NONCE_BYTES)
    writer.write(hmac.digest(secret, mine + asked, "sha256"))
    proof = await reader.readexactly(NONCE_BYTES)
    if not hmac.compare_digest(proof, hmac.digest(secret, others + nonce, "sha256")):
        raise ValueError("the other end does not know the pool's secret")
