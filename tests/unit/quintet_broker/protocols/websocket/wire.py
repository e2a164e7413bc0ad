"""A client's end, and the connection in between, as the broker has it: no byte crosses a real socket."""

from typing import Any, cast

from quintet_broker.protocols import connections
from quintet_broker.protocols.connections import Upgraded

BINARY, TEXT, CLOSE, PING, PONG = 2, 1, 8, 9, 10


class Wire:
    """What is written is read at once, or once `read` is called."""

    def __init__(self) -> None:
        self.reads = True
        """Whether the client does."""
        self.heard: list[tuple[int, bytes]] = []
        """Opcode and content of all messages that the client read."""
        self.is_held_back = False
        self.is_closed = False
        self.aborted = False
        self.transport = self
        self._unread: list[bytes] = []
        self._high = 0
        self._paused = False
        self._socket: Upgraded | None = None

    def as_connection(self) -> connections.Connection:
        return cast(connections.Connection, self)

    # The client

    def say(self, *frames: bytes) -> None:
        """In one read."""
        if self._socket and not self.is_closed:
            self._socket.feed_data(b"".join(frames))

    def read(self) -> None:
        """All that was written, and from now on what will be."""
        self.reads = True
        content, self._unread = b"".join(self._unread), []
        while content:
            opcode, size, begin = content[0] & 15, content[1], 2
            if size > 125:
                begin += 2 if size == 126 else 8
                size = int.from_bytes(content[2:begin])
            self.heard.append((opcode, content[begin : begin + size]))
            content = content[begin + size :]
        if self._paused:
            self._paused = False
            assert self._socket
            self._socket.drained()

    def go(self) -> None:
        """The connection is lost."""
        if not self.is_closed:
            self.is_closed = True
            assert self._socket
            self._socket.feed_eof()

    # The connection

    @property
    def writing_paused(self) -> bool:
        return self._paused

    def upgrade(self, to: Upgraded) -> None:
        self._socket = to

    def whole(self) -> None:
        pass

    def to_write(self) -> int:
        return sum(map(len, self._unread))

    # And its transport

    def set_write_buffer_limits(self, *, high: int) -> None:
        self._high = high

    def write(self, data: bytes) -> None:
        self._unread.append(data)
        if self.reads:
            self.read()
        elif self.to_write() > self._high:
            self._paused = True

    def writelines(self, parts: list[bytes]) -> None:
        self.write(b"".join(parts))

    def pause_reading(self) -> None:
        self.is_held_back = True

    def resume_reading(self) -> None:
        self.is_held_back = False

    def close(self) -> None:
        self.go()

    def abort(self) -> None:
        self.aborted = True
        self.go()


def message(content: bytes, opcode: int = BINARY, *, fin: bool = True, mask: bytes = b"\x01\x02\x03\x04") -> bytes:
    """Of a client."""
    size = len(content)
    head: Any = [fin << 7 | opcode]
    if size < 126:
        head += [0x80 | size]
    elif size < 1 << 16:
        head += [0x80 | 126, *size.to_bytes(2)]
    else:
        head += [0x80 | 127, *size.to_bytes(8)]
    key = int.from_bytes((mask * (size // 4 + 1))[:size])
    return bytes(head) + mask + (int.from_bytes(content) ^ key).to_bytes(size)
