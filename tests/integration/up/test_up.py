"""From start to stop: what runs, what is told, and what happens when processes die."""

import base64
import json
import signal
import socket
import stat
import urllib.request
from pathlib import Path
from typing import cast
from urllib.error import HTTPError

import boto3
import psutil
import pytest
import redis

from quintet.embedded.state import State
from tests.integration.up.command import Up, queue, until
from tests.processes import RedisServer


def http(url: str, method: str = "GET", body: object = None, authorization: str = "") -> tuple[int, bytes]:
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), method=method)
    request.add_header("Authorization", authorization)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def basic(key: dict[str, str]) -> str:
    return "Basic " + base64.b64encode(f"{key['accessKeyId']}:{key['secretAccessKey']}".encode()).decode()


def settings(up: Up) -> dict[str, str]:
    """Of the Redis that runs."""
    [path] = {str(one.laddr) for one in up.child("redis-server").net_connections("unix") if one.laddr}
    with redis.Redis(unix_socket_path=path, decode_responses=True) as client:
        return cast(dict[str, str], client.config_get("append*"))


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    file = tmp_path / "orders.yaml"
    dead = {"queue": "orders-dead", "maxReceives": 3}
    file.write_text(queue("orders", deadLetter=dead) + "---\n" + queue("orders-dead"))
    return file


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_manifests_until_it_is_stopped(up: Up, manifests: Path, tmp_path: Path, number: signal.Signals) -> None:
    own = tmp_path / "ready-for-me.json"
    up.start("-f", manifests, "--ready-file", own, "--account-id", "123456789012")
    print(f"\nready {up.seconds:.2f} s after the process began")
    ready = up.ready
    assert json.loads(own.read_text()) == ready
    assert (ready["accountId"], ready["region"]) == ("123456789012", "us-east-1")
    assert set(ready["credentials"]) == {"broker-pool/default", "queue/orders", "queue/orders-dead"}
    assert ready["credentials"]["queue/orders"]["accessKeyId"] == "Q.default.orders.1"
    for file in ("ready.json", "master-key", "admin-token"):
        assert stat.S_IMODE((up.state / file).stat().st_mode) == 0o600
    assert http(f"{ready['endpoints']['admin']}/readyz")[0] == 200
    assert http(f"{up.http}/v1/queues/orders")[0] == 200

    children = up.children()
    assert len(children) == 2
    assert up.end(number) == 0
    assert up.output.endswith("\nstopping ...\nstopped\n")
    assert not any(child.is_running() for child in children)
    assert not own.exists()
    assert not (up.state / "ready.json").exists()


def test_redis_listens_on_its_unix_socket_alone(up: Up, manifests: Path) -> None:
    up.start("-f", manifests)
    assert up.child("redis-server").net_connections("inet") == []
    assert settings(up)["appendfsync"] == "always"


def test_a_pool_of_durability_memory_does_not_wait_for_the_disk(up: Up, tmp_path: Path) -> None:
    pool = "apiVersion: quintet.dev/v1\nkind: BrokerPool\nmetadata: {name: quick}\nspec: {durability: Memory}\n"
    (tmp_path / "pool.yaml").write_text(pool + "---\n" + queue("orders", brokerPool="quick"))
    up.start("-f", tmp_path / "pool.yaml")
    assert settings(up)["appendfsync"] == "everysec"
    assert "broker-pool/quick" in up.ready["credentials"]


def test_without_manifests_any_client_makes_queues(up: Up) -> None:
    up.start()
    sqs = boto3.client(
        "sqs",
        endpoint_url=up.http,
        region_name=up.ready["region"],
        aws_access_key_id="any",
        aws_secret_access_key="thing",
    )
    url = sqs.create_queue(QueueName="made")["QueueUrl"]
    assert url == up.get()["Queue/made"]["status"]["url"] == f"{up.http}/000000000000/made"
    sqs.send_message(QueueUrl=url, MessageBody="hello")
    assert up.quintet("receive", "made") == "hello\n"
    assert up.get()["Queue/made"]["metadata"]["annotations"]["quintet.dev/source"] == "run time"
    assert up.quintet("delete", "queue", "made") == "queue/made deleted\n"
    assert http(f"{up.http}/v1/queues/made")[0] == 404


def test_messages_uids_and_revisions_outlast_a_restart(up: Up, manifests: Path) -> None:
    def revision() -> int:
        token = (up.state / "admin-token").read_text().strip()
        status, body = http(f"{up.ready['endpoints']['admin']}/admin/v1/topology", authorization=f"Bearer {token}")
        assert status == 200
        return int(json.loads(body)["revision"][1])

    up.start("-f", manifests)
    up.quintet("send", "orders", "still here")
    first, uid = revision(), up.get()["Queue/orders"]["metadata"]["uid"]
    keys = up.ready["credentials"]
    up.end()
    up.start("-f", manifests)
    assert revision() > first
    assert up.get()["Queue/orders"]["metadata"]["uid"] == uid
    assert up.ready["credentials"] == keys
    assert up.quintet("receive", "orders") == "still here\n"


def test_with_auth_only_the_keys_of_the_ready_file_open(up: Up, manifests: Path) -> None:
    up.start("-f", manifests, "--auth")
    keys, orders = up.ready["credentials"], f"{up.http}/v1/queues/orders/messages"
    message = {"messages": [{"value": "x"}]}
    assert http(orders, "POST", message)[0] == 401
    assert http(orders, "POST", message, basic(keys["queue/orders"]))[0] == 200
    assert http(orders, "POST", message, basic(keys["queue/orders-dead"]))[0] == 403
    assert http(f"{up.http}/v1/queues", authorization=basic(keys["broker-pool/default"]))[0] == 200
    assert up.quintet("receive", "orders") == "x\n"


@pytest.mark.parametrize(("name", "word"), [("redis", "redis-server"), ("broker-0", "quintet_broker")])
def test_a_child_that_is_killed_comes_back_with_its_messages(up: Up, manifests: Path, name: str, word: str) -> None:
    up.start("-f", manifests)
    up.quintet("send", "orders", "kept")
    up.child(word).kill()
    up.says(f"{name} is back\n")
    assert f"{name} ended (SIGKILL): starting it again" in up.output
    assert up.quintet("receive", "orders", "--wait", "5s") == "kept\n"


def test_killed_itself_it_leaves_no_process_and_starts_again(up: Up, manifests: Path) -> None:
    up.start("-f", manifests)
    up.quintet("send", "orders", "kept")
    children = up.children()
    up.end(signal.SIGKILL)
    psutil.wait_procs(children, timeout=60)
    assert not any(child.is_running() for child in children)
    assert "quintet up is not running on" in up.quintet("get", code=1)
    up.start("-f", manifests)
    assert up.quintet("receive", "orders") == "kept\n"


# What keeps it from starting


def test_a_port_in_use_is_named_with_the_option_that_changes_it(up: Up) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for option in ("--http-port", "--admin-port"):
            told = f"port {port} of 127.0.0.1 is in use: choose another with {option}\n"
            assert up.refused(option, str(port)) == told


def test_a_state_directory_has_one_owner(up: Up) -> None:
    up.start()
    assert "is running on" in up.quintet("up", "--http-port", "0", code=1)
    assert up.quintet("get", "brokerpools", "-o", "name") == "broker-pool/default\n"


def test_a_missing_redis_is_told_with_what_to_install(up: Up) -> None:
    assert up.refused(QUINTET_REDIS_SERVER="no-such-redis") == (
        "QUINTET_REDIS_SERVER names no-such-redis, which is no program\n"
    )


def test_a_program_that_cannot_start_is_told_with_the_end_of_its_log(up: Up, tmp_path: Path) -> None:
    program = tmp_path / "broken-redis"
    program.write_text("#!/bin/sh\necho the disk is on fire\nexit 3\n")
    program.chmod(0o755)
    told = up.refused(QUINTET_REDIS_SERVER=str(program))
    assert told.startswith("redis does not start; the end of ")
    assert told.endswith("the disk is on fire\n")


def test_a_child_that_never_comes_back_ends_it(up: Up, tmp_path: Path) -> None:
    program = tmp_path / "redis"
    program.write_text('#!/bin/sh\nexec redis-server "$@"\n')
    program.chmod(0o755)
    up.start(QUINTET_REDIS_SERVER=str(program))
    program.write_text("#!/bin/sh\necho no more\nexit 3\n")
    up.child("redis-server").kill()
    assert up.process.wait(60) == 1
    assert up.output.endswith("no more\n")


def test_a_redis_left_behind_is_told(up: Up) -> None:
    with State(up.state).held():
        left = RedisServer(up.directory)
        left.socket = up.state / "redis.sock"
        left.start()
    try:
        assert "left behind serves" in up.refused()
    finally:
        left.stop()


def test_an_unusable_state_directory_is_told(up: Up, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    up.state = tmp_path / "file/state"
    assert up.refused() == f"the state directory {up.state} cannot be used: Not a directory\n"


def test_a_ready_file_that_cannot_be_written_ends_it(up: Up) -> None:
    told = "the ready file /nowhere/ready.json cannot be written: No such file or directory\n"
    assert up.refused("--ready-file", "/nowhere/ready.json") == told


def test_a_file_that_is_no_ready_file_is_left_alone(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "notes.json"
    for text in ("keep me", '{"endpoints": {}}', ""):
        file.write_text(text)
        told = f"{file} is there and is no ready file: name another with --ready-file\n"
        assert up.refused("--ready-file", file) == told
        assert file.read_text() == text


def test_a_ready_file_that_was_left_behind_is_replaced(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    up.start("--ready-file", file)
    up.end(signal.SIGKILL)
    assert file.exists()
    up.start("--ready-file", file)
    assert json.loads(file.read_text()) == up.ready


def test_what_it_says_to_try_can_be_pasted(up: Up, tmp_path: Path) -> None:
    up.state = tmp_path / "a state"
    up.start("--state-dir", up.state)
    hint = up.output.splitlines()[-1]
    assert hint == f"  quintet get --state-dir '{up.state}' queues"


def test_it_listens_where_it_is_told(up: Up) -> None:
    up.start("--host", "0.0.0.0")
    assert up.http.startswith("http://127.0.0.1:")
    assert "beware: whoever reaches 0.0.0.0 can use it; --auth asks for keys\n" in up.output
    up.end()
    up.start("--host", "::1")
    assert up.http.startswith("http://[::1]:")


def test_an_unknown_option_is_a_usage_error(up: Up) -> None:
    assert "No such option" in up.quintet("up", "--durable", code=2)
    assert "must be 12 digits" in up.quintet("up", "--account-id", "12", code=2)


def test_it_can_be_stopped_while_it_starts(up: Up) -> None:
    up.launch()
    until(lambda: (up.state / "logs/broker-0.log").exists(), "no broker was started")
    assert up.end(signal.SIGINT) == 0
    assert up.output == "stopping ...\nstopped\n"
