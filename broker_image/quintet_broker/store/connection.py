"""From a URL to connections: to one Redis, to the primary that Sentinels name, to the primaries of a Redis Cluster."""

from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import SSLConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelManagedConnection, SentinelManagedSSLConnection
from redis.backoff import NoBackoff

from quintet_broker.store.address import Address, parse
from quintet_broker.store.cluster import ClusterConnection
from quintet_broker.store.node import Connection, Node, name_of
from quintet_broker.store.sentinels import SentinelConnection, SentinelPool, Sentinels

CONNECTIONS = 16
"""To each Redis."""
TIMEOUT = 10.0
"""Seconds after which an answer counts as lost."""
CONNECT_TIMEOUT = 2.0
"""Seconds. So too for an answer of a Sentinel."""


def connection(url: str, connections: int = CONNECTIONS, timeout: float = TIMEOUT) -> Connection:
    """To the Redis of a URL; `connections` at most to each node, `timeout` in seconds. Opens nothing yet; is used by
    the event loop of its first use alone. Raises BadUrl.

    redis:// and rediss:// (TLS) host:port/db, unix:///path, redis+sentinel://host:port,host:port/<primary>/db,
    redis+cluster://host:port,host:port; credentials before an @, redis-py's options behind a question mark.
    """
    address = parse(url)
    limits: dict[str, Any] = {"max_connections": connections, "timeout": timeout}
    own = {
        "socket_timeout": timeout,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        # A retry that nobody knows of: the engine asks again where it may.
        "retry": Retry(NoBackoff(), 0),
    }
    options = limits | own | address.options
    if address.kind == "sentinel":
        return _by_sentinel(address, options, timeout)
    options["connection_class"] = address.connection_class

    def connect(host: str, port: int) -> Node:
        return Node(name_of(host, port), _redis(BlockingConnectionPool(host=host, port=port, **options)), timeout)

    if address.kind == "cluster":
        return ClusterConnection(address.hosts, connect)
    if address.hosts:
        return Connection(connect(*address.hosts[0]))
    return Connection(Node(str(options["path"]), _redis(BlockingConnectionPool(**options)), timeout))


def _by_sentinel(address: Address, options: dict[str, Any], timeout: float) -> SentinelConnection:
    tls = address.connection_class is SSLConnection
    of_sentinels: dict[str, Any] = {
        "ssl": tls,
        "socket_timeout": CONNECT_TIMEOUT,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "retry": Retry(NoBackoff(), 0),
    }
    of_sentinels |= {name: value for name, value in options.items() if name.startswith("ssl_")}
    sentinels = Sentinels(  # type: ignore[no-untyped-call]
        address.hosts, sentinel_kwargs=of_sentinels | address.sentinel_options
    )
    to_primary = SentinelManagedSSLConnection if tls else SentinelManagedConnection
    pool = SentinelPool(  # type: ignore[no-untyped-call]
        address.master, sentinels, connection_class=to_primary, **options
    )
    return SentinelConnection(Node(address.master, _redis(pool), timeout), pool, sentinels)


def _redis(pool: BlockingConnectionPool) -> Redis:
    return Redis(connection_pool=pool)
