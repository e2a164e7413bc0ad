"""From a Redis URL to where it leads. Pure."""

import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlencode, urlsplit

from msgspec import Struct
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection, parse_url

Kind = Literal["one", "sentinel", "cluster"]
PORTS: dict[Kind, int] = {"one": 6379, "sentinel": 26379, "cluster": 6379}
SCHEMES: dict[str, tuple[Kind, str]] = {
    "redis": ("one", "redis"),
    "rediss": ("one", "rediss"),
    "unix": ("one", "unix"),
    "redis+sentinel": ("sentinel", "redis"),
    "rediss+sentinel": ("sentinel", "rediss"),
    "redis+cluster": ("cluster", "redis"),
    "rediss+cluster": ("cluster", "rediss"),
}
"""What a scheme leads to, and the one in which redis-py knows its connections."""

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]@/,\s]+)(?::(\d{1,5}))?")


FILES = {"ca.crt": "ssl_ca_certs", "tls.crt": "ssl_certfile", "tls.key": "ssl_keyfile"}
"""What a folder may hold for connections by TLS, and redis-py's option for it."""


class BadUrl(ValueError):
    """A Redis URL that leads nowhere; says what is wrong, and never the password."""


class Address(Struct):
    """Where a Redis URL leads."""

    kind: Kind
    hosts: list[tuple[str, int]]
    """One Redis, or all Sentinels that were named, or some nodes of the Cluster; empty for a Unix socket."""
    connection_class: type[Connection | UnixDomainSocketConnection]
    options: dict[str, Any]
    """Of a connection to a Redis, as redis-py names them, without host and port."""
    master: str = ""
    """The name by which Sentinels know the primary."""
    sentinel_options: dict[str, Any] = {}
    """Of a connection to a Sentinel."""


def parse(url: str) -> Address:
    """Raises BadUrl."""
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES or not rest:
        raise BadUrl(f"a Redis URL begins with one of {', '.join(name + '://' for name in SCHEMES)}")
    kind, plain = SCHEMES[scheme]
    if plain == "unix":
        return _unix(url)
    parts = urlsplit("redis://" + rest)
    credentials, at, hosts = parts.netloc.rpartition("@")
    options = _options(f"{plain}://{credentials}{at}host?{parts.query}")
    address = Address(kind, [_host(host, PORTS[kind]) for host in hosts.split(",")], Connection, options)
    if plain == "rediss":
        address.connection_class = SSLConnection
    if kind == "one" and len(address.hosts) > 1:
        raise BadUrl(f"{scheme}:// takes one host; several are for redis+sentinel:// and redis+cluster://")
    _set_path(address, [unquote(part) for part in parts.path.strip("/").split("/") if part])
    _check_options(address)
    return address


def secured(url: str, folder: Path) -> str:
    """The URL, where it goes by TLS, with the folder's files among its options; what it says itself comes first."""
    files = {option: str(folder / name) for name, option in FILES.items() if (folder / name).exists()}
    if not files or not url.startswith("rediss"):
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(files)}"


def _unix(url: str) -> Address:
    options = _options(url)
    if not options.get("path"):
        raise BadUrl("unix:// is followed by the path of a socket")
    address = Address("one", [], UnixDomainSocketConnection, options)
    _check_options(address)
    return address


def _host(text: str, port: int) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    if not found or int(found[2] or port) not in range(1, 65536):
        raise BadUrl(f"{text!r} is not host or host:port")
    return found[1].strip("[]"), int(found[2] or port)


def _options(url: str) -> dict[str, Any]:
    """Credentials and what stands behind the question mark."""
    try:
        options: dict[str, Any] = dict(parse_url(url))
    except ValueError as error:
        raise BadUrl(str(error)) from error
    return {name: value for name, value in options.items() if name not in ("host", "connection_class")}


def _set_path(address: Address, path: list[str]) -> None:
    if address.kind == "sentinel":
        if not path:
            raise BadUrl("the path of redis+sentinel:// is /<name of the primary>[/<database>]")
        address.master = path.pop(0)
        for name in ("username", "password"):
            if secret := address.options.pop(f"sentinel_{name}", None):
                address.sentinel_options[name] = secret
    if len(path) > 1 or not all(part.isdecimal() for part in path):
        raise BadUrl(f"{'/'.join(path)!r} is not the number of a database")
    if path:
        address.options["db"] = int(path[0])
    if address.kind == "cluster" and address.options.get("db"):
        raise BadUrl("a Redis Cluster has the database 0 alone")


def _check_options(address: Address) -> None:
    try:
        address.connection_class(**address.options)
    except (TypeError, ValueError) as error:
        raise BadUrl(f"an option is not understood: {error}") from error
