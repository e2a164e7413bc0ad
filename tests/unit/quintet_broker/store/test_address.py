"""What a Redis URL leads to, and what is said of one that leads nowhere."""

from pathlib import Path

import pytest
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection

from quintet_broker.store.address import BadUrl, parse, secured


def test_one_redis() -> None:
    found = parse("redis://us%65r:p%40ss@redis.shop.svc:7000/3?client_name=broker")
    assert (found.kind, found.hosts) == ("one", [("redis.shop.svc", 7000)])
    assert found.options == {"username": "user", "password": "p@ss", "db": 3, "client_name": "broker"}
    assert found.connection_class is Connection
    assert parse("redis://[::1]").hosts == [("::1", 6379)]


def test_tls() -> None:
    found = parse("rediss://redis:6380?ssl_ca_certs=/ca.pem")
    assert found.connection_class is SSLConnection
    assert found.options == {"ssl_ca_certs": "/ca.pem"}
    assert parse("rediss+cluster://one,two").connection_class is SSLConnection


def test_files_of_a_folder_are_for_tls_alone_and_come_after_what_the_url_says(tmp_path: Path) -> None:
    assert secured("rediss://redis", tmp_path) == "rediss://redis"
    for name in ("ca.crt", "tls.crt", "tls.key"):
        (tmp_path / name).touch()
    assert parse(secured("rediss+sentinel://:p%40@a,b/main/2", tmp_path)).options == {
        "password": "p@",
        "db": 2,
        "ssl_ca_certs": str(tmp_path / "ca.crt"),
        "ssl_certfile": str(tmp_path / "tls.crt"),
        "ssl_keyfile": str(tmp_path / "tls.key"),
    }
    assert parse(secured("rediss://redis?ssl_ca_certs=/mine", tmp_path)).options["ssl_ca_certs"] == "/mine"
    assert secured("redis://redis", tmp_path) == "redis://redis"


def test_a_unix_socket() -> None:
    found = parse("unix:///run/redis.sock?db=2")
    assert (found.kind, found.hosts, found.connection_class) == ("one", [], UnixDomainSocketConnection)
    assert found.options == {"path": "/run/redis.sock", "db": 2}


def test_sentinels() -> None:
    found = parse("redis+sentinel://user:secret@s-0:5000,s-1/orders/4?sentinel_password=other")
    assert (found.kind, found.hosts) == ("sentinel", [("s-0", 5000), ("s-1", 26379)])
    assert (found.master, found.options) == ("orders", {"username": "user", "password": "secret", "db": 4})
    assert found.sentinel_options == {"password": "other"}


def test_a_cluster() -> None:
    found = parse("redis+cluster://:secret@c-0:7000,c-1")
    assert (found.kind, found.hosts) == ("cluster", [("c-0", 7000), ("c-1", 6379)])
    assert found.options == {"password": "secret"}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "begins with one of redis://, rediss://, unix://, redis"),
        ("localhost:6379", "begins with one of"),
        ("http://localhost", "begins with one of"),
        ("redis://", "begins with one of"),
        ("redis://:secret@", "'' is not host or host:port"),
        ("redis://one:port", "'one:port' is not host or host:port"),
        ("redis://one:70000", "'one:70000' is not host or host:port"),
        ("redis://one,two", "takes one host"),
        ("redis://one/name", "'name' is not the number of a database"),
        ("redis://one?socket_timeout=soon", "Invalid value for 'socket_timeout'"),
        ("redis://one?colour=red", "an option is not understood"),
        ("unix://?db=1", "is followed by the path of a socket"),
        ("redis+sentinel://one,two", "the path of redis+sentinel:// is /<name of the primary>"),
        ("redis+sentinel://one/orders/first", "'first' is not the number of a database"),
        ("redis+sentinel://one,,two/orders", "'' is not host or host:port"),
        ("redis+cluster://one/3", "a Redis Cluster has the database 0 alone"),
    ],
)
def test_what_is_wrong_is_told(url: str, why: str) -> None:
    with pytest.raises(BadUrl) as refusal:
        parse(url)
    assert why in str(refusal.value)
    assert "secret" not in str(refusal.value)
