"""Where the brokers that `quintet up` starts are reached."""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import chain, repeat

from quintet.embedded.errors import CannotRun
from quintet_api.hosts import reached

LAST_PORT = 65535


@dataclass(frozen=True)
class Place:
    """One broker's."""

    name: str
    """`broker-0`."""
    host: str
    """On which it listens."""
    http_port: int
    admin_port: int
    peer_port: int

    @property
    def http(self) -> str:
        """The URL for clients."""
        return f"http://{reached(self.host)}:{self.http_port}"

    @property
    def admin(self) -> str:
        """The URL for probes and metrics."""
        return f"http://{reached(self.host)}:{self.admin_port}"

    @property
    def peer(self) -> str:
        """The address for the other brokers: `127.0.0.1:9402`."""
        return f"{reached(self.host)}:{self.peer_port}"


def places(host: str, http_port: int, admin_port: int, brokers: int) -> list[Place]:
    """The first broker has the ports that are asked for; all others are the next free ones above these.

    Where 0 is asked for, it and all others are any free ones. Raises CannotRun.
    """
    with ExitStack() as held:
        http = _asked(held, host, http_port, "--http-port")
        admin = _asked(held, host, admin_port, "--admin-port")
        more = _free(held, host, max(http, admin) if http_port and admin_port else LAST_PORT)
        ports = [(http, admin, next(more)), *((next(more), next(more), next(more)) for _ in range(1, brokers))]
    return [Place(f"broker-{number}", host, *three) for number, three in enumerate(ports)]


def _asked(held: ExitStack, host: str, port: int, option: str) -> int:
    try:
        return _bound(held, host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CannotRun(f"port {port} of {host} is in use: choose another with {option}") from error
        raise CannotRun(f"port {port} of {host} cannot be used: {error.strerror}") from error


def _free(held: ExitStack, host: str, above: int) -> Iterator[int]:
    """The free ports above one, then any free ones, without end."""
    for port in chain(range(above + 1, LAST_PORT + 1), repeat(0)):
        with suppress(OSError):
            yield _bound(held, host, port)


def _bound(held: ExitStack, host: str, port: int) -> int:
    """A port that nobody listens on; it stays bound as long as `held`, so that it is not found twice."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    found = held.enter_context(socket.socket(family, kind, protocol))
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind(address)
    return int(found.getsockname()[1])
