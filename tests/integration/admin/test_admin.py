"""The admin port: probes, metrics and the topology."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.processes import Broker, RedisServer

Json = dict[str, Any]
UID = "6f1c1f6e-0000-4000-8000-000000000001"
OTHER_UID = "6f1c1f6e-0000-4000-8000-000000000002"


class Admin:
    """Both ports of a broker, as the operator and a client call them."""

    def __init__(self, session: aiohttp.ClientSession, broker: Broker) -> None:
        self.broker = broker
        self.session = session
        self._revision = 0

    async def apply(self, *entries: Json, revision: tuple[int, int] | None = None) -> tuple[int, Json]:
        self._revision += 1
        document = {"schemaVersion": 1, "revision": revision or (1, self._revision), "entries": entries}
        return await self.topology("PUT", document)

    async def topology(self, method: str, document: Any = None, token: str | None = None) -> tuple[int, Json]:
        headers = {"Authorization": f"Bearer {self.broker.admin_token if token is None else token}"}
        url = f"{self.broker.admin_url}/admin/v1/topology"
        async with self.session.request(method, url, json=document, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def probe(self, name: str) -> int:
        async with self.session.get(f"{self.broker.admin_url}/{name}") as response:
            return response.status

    async def becomes(self, status: int) -> None:
        """Until /readyz answers so."""
        async with asyncio.timeout(30):
            found = await self.probe("readyz")
            while found != status:
                await asyncio.sleep(0.02)
                found = await self.probe("readyz")

    async def served(self) -> Json:
        """What is told once somebody has the shards of all that was applied."""
        async with asyncio.timeout(30):
            while True:
                _, told = await self.topology("GET")
                if all(entry["messages"] or entry["state"] == "Refused" for entry in told["entries"]):
                    return told
                await asyncio.sleep(0.02)

    async def queue(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.session.request(method, f"{self.broker.http_url}/v1/queues/{path}", json=body) as response:
            return response.status, await response.json(content_type=None) if await response.read() else None

    async def send(self, name: str, value: str) -> int:
        return (await self.queue("POST", f"{name}/messages", {"messages": [{"value": value}]}))[0]

    async def receive(self, name: str) -> list[str]:
        _, answer = await self.queue("POST", f"{name}/messages:receive", {"wait": "1s"})
        return [message["value"] for message in answer["messages"]]


@pytest.fixture
async def admin(own_broker: Broker) -> AsyncIterator[Admin]:
    async with aiohttp.ClientSession() as session:
        yield Admin(session, own_broker)


def entry(name: str = "orders", uid: str = UID, **spec: Any) -> Json:
    return {"kind": "Queue", "name": name, "uid": uid, "spec": spec}


def _states(status: Json) -> dict[str, tuple[str, str]]:
    return {entry["name"]: (entry["state"], entry["reason"]) for entry in status["entries"]}


# Probes and metrics


async def test_probes_while_the_store_comes_and_goes(tmp_path: Path, own_redis: RedisServer) -> None:
    broker = Broker(tmp_path, own_redis.url)
    broker.start()
    async with aiohttp.ClientSession() as session:
        admin = Admin(session, broker)
        assert (await admin.probe("healthz"), await admin.probe("readyz")) == (200, 200)
        own_redis.kill()
        await admin.becomes(503)
        assert await admin.probe("healthz") == 200
        own_redis.start()
        await admin.becomes(200)
    broker.stop()


async def test_metrics_count_what_happened(admin: Admin) -> None:
    await admin.apply(entry())
    for value in "abc":
        assert await admin.send("orders", value) == 200
    _, answer = await admin.queue("POST", "orders/messages:receive", {"limit": 2})
    receipts = [answer["messages"][0]["receipt"]]
    await admin.queue("POST", "orders/messages:acknowledge", {"receipts": receipts})
    async with admin.session.get(f"{admin.broker.admin_url}/metrics") as response:
        assert response.content_type == "text/plain"
        families = {family.name: family for family in text_string_to_metric_families(await response.text())}
    assert all(name.startswith(("quintet_", "process_")) for name in families)
    assert families["process_cpu_seconds"].samples[0].value > 0
    [used] = families["quintet_storage_used_bytes"].samples
    assert used.labels == {"kind": "BrokerPool", "namespace": "default", "name": "default"}
    assert used.value > 0
    labels = {"kind": "Queue", "namespace": "default", "name": "orders"}
    held = {sample.labels["state"]: sample.value for sample in families["quintet_messages"].samples}
    assert held == {"visible": 1, "in_flight": 1, "delayed": 0}
    for name, count in {
        "sent": 3,
        "received": 2,
        "acknowledged": 1,
        "dead_lettered": 0,
        "expired": 0,
        "dropped": 0,
    }.items():
        [sample] = families[f"quintet_messages_{name}"].samples
        assert (sample.name, sample.labels) == (f"quintet_messages_{name}_total", labels)
        assert sample.value == count


# The topology


async def test_it_tells_how_many_messages_an_object_holds(admin: Admin) -> None:
    await admin.apply(entry(deliveryDelay="0s"), entry("strict", deadLetter={"queue": "nowhere"}))
    for value in "abc":
        assert await admin.send("orders", value) == 200
    await admin.queue("POST", "orders/messages:receive", {"limit": 1})
    await admin.queue("POST", "orders/messages", {"messages": [{"value": "later", "delay": "10m"}]})
    counts = {one["name"]: one["messages"] for one in (await admin.served())["entries"]}
    assert counts == {"orders": {"visible": 2, "inFlight": 1, "delayed": 1}, "strict": None}


async def test_document_is_applied_and_told(admin: Admin, redis_server: RedisServer) -> None:
    storage = {"version": ".".join(map(str, redis_server.version)), "warnings": []}
    assert await admin.topology("GET") == (
        200,
        {"revision": [0, 0], "pods": [{"name": "broker-0", "revision": [0, 0]}], "entries": [], "storage": storage},
    )
    status, applied = await admin.apply(entry(visibilityTimeout="1m"), revision=(3, 118))
    assert status == 200
    [told] = applied["entries"]
    told["messages"] = {"visible": 0, "inFlight": 0, "delayed": 0}
    assert told | {"name": "orders", "uid": UID, "state": "Applied", "reason": "", "message": ""} == told
    assert applied == {
        "revision": [3, 118],
        "pods": [{"name": "broker-0", "revision": [3, 118]}],
        "entries": [told],
        "storage": storage,
    }
    assert await admin.served() == applied
    _, info = await admin.queue("GET", "orders")
    assert (info["origin"], info["spec"]["visibilityTimeout"]) == ("Declared", "1m")


async def test_only_the_pools_token_opens_it(admin: Admin) -> None:
    for token in "", "wrong", admin.broker.master_key:
        for method in "GET", "PUT":
            status, problem = await admin.topology(method, {}, token)
            assert (status, problem["type"]) == (401, "urn:quintet:problem:Unauthorized")


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({}, "revision"),
        ({"schemaVersion": 2, "revision": [1, 1], "entries": []}, "schemaVersion"),
        ({"revision": [1], "entries": []}, "revision"),
        ({"revision": [1, -1], "entries": []}, "revision.1"),
        ({"revision": [1, 1], "entries": [{"kind": "Queue"}]}, "entries.0.name"),
        ([], "the document"),
    ],
)
async def test_bad_document_is_refused_by_its_field(admin: Admin, document: Any, field: str) -> None:
    status, problem = await admin.topology("PUT", document)
    assert (status, problem["status"]) == (400, 400)
    assert problem["detail"].startswith(field)


async def test_document_may_come_packed(admin: Admin) -> None:
    entries = [entry(f"queue-{number}") for number in range(100)]
    packed = gzip.compress(json.dumps({"revision": [1, 1], "entries": entries}).encode())
    headers = {"Authorization": f"Bearer {admin.broker.admin_token}", "Content-Encoding": "gzip"}
    url = f"{admin.broker.admin_url}/admin/v1/topology"
    async with admin.session.put(url, data=packed, headers=headers) as response:
        assert set(_states(await response.json()).values()) == {("Applied", "")}
    assert len((await admin.topology("GET"))[1]["entries"]) == 100


async def test_older_revision_is_refused(admin: Admin) -> None:
    await admin.apply(entry(), revision=(2, 5))
    for older in (2, 4), (1, 99):
        status, problem = await admin.apply(revision=older)
        assert (status, problem["type"]) == (409, "urn:quintet:problem:RevisionConflict")
    assert (await admin.topology("GET"))[1]["revision"] == [2, 5]
    assert (await admin.queue("GET", "orders"))[0] == 200
    assert (await admin.apply(entry(), revision=(2, 5)))[0] == 200
    assert (await admin.apply(entry(), revision=(3, 0)))[0] == 200


async def test_bad_entry_spoils_only_itself(admin: Admin) -> None:
    bad = [
        entry("fifo", ordering="Fifo", deadLetter={"queue": "before"}),
        entry("misspelt", visibilityTimeOut="1m"),
        entry("lost", deadLetter={"queue": "nowhere"}),
        entry("itself", deadLetter={"queue": "itself"}),
        {"kind": "Stream", "name": "clicks", "uid": UID, "spec": {}},
    ]
    status, answer = await admin.apply(entry("before"), *bad, entry("after", deadLetter={"queue": "before"}))
    assert status == 200
    assert _states(answer) == {
        "before": ("Applied", ""),
        "fifo": ("Refused", "InvalidArgument"),
        "misspelt": ("Refused", "InvalidArgument"),
        "lost": ("Refused", "DeadLetterQueueNotFound"),
        "itself": ("Refused", "InvalidArgument"),
        "clicks": ("Refused", "Unsupported"),
        "after": ("Applied", ""),
    }
    assert "visibilityTimeOut" in answer["entries"][2]["message"]
    assert (await admin.send("before", "a"), await admin.send("after", "a"), await admin.send("fifo", "a")) == (
        200,
        200,
        404,
    )


@pytest.mark.parametrize(("policy", "kept"), [("Retain", ["a"]), ("Delete", [])])
async def test_new_uid_under_an_old_name(admin: Admin, policy: str, kept: list[str]) -> None:
    """A deletion, then a creation: what becomes of the messages is the old one's policy."""
    await admin.apply(entry(deletionPolicy=policy))
    await admin.send("orders", "a")
    _, answer = await admin.apply(entry(uid=OTHER_UID))
    assert _states(answer) == {"orders": ("Applied", "")}
    assert answer["entries"][0]["uid"] == OTHER_UID
    assert await admin.receive("orders") == kept


async def test_same_uid_keeps_the_messages_whatever_the_policy(admin: Admin) -> None:
    await admin.apply(entry(deletionPolicy="Delete"))
    await admin.send("orders", "a")
    await admin.apply(entry(deletionPolicy="Delete", visibilityTimeout="1m"))
    assert await admin.receive("orders") == ["a"]


async def test_entry_without_a_spec_stays_as_it_is(admin: Admin) -> None:
    await admin.apply(entry(visibilityTimeout="1m"))
    held = entry() | {"spec": None}
    _, answer = await admin.apply(held, entry("new") | {"spec": None})
    assert _states(answer) == {"orders": ("Applied", ""), "new": ("Refused", "InvalidArgument")}
    assert (await admin.queue("GET", "orders"))[1]["spec"]["visibilityTimeout"] == "1m"
    _, answer = await admin.apply(held | {"uid": OTHER_UID})
    assert _states(answer) == {"orders": ("Refused", "InvalidArgument")}


async def test_entry_that_left_is_closed_at_once_and_comes_back_with_its_messages(admin: Admin) -> None:
    await admin.apply(entry(deletionPolicy="Delete"))
    await admin.send("orders", "a")
    await admin.apply()
    assert (await admin.send("orders", "b"), (await admin.queue("GET", "orders"))[0]) == (404, 404)
    await admin.apply(entry())
    assert await admin.receive("orders") == ["a"]


async def test_a_client_does_not_drop_what_is_kept(admin: Admin) -> None:
    await admin.apply(entry(deletionPolicy="Retain"))
    await admin.send("orders", "a")
    await admin.apply()
    status, problem = await admin.queue("PUT", "orders", {})
    assert (status, problem["type"]) == (409, "urn:quintet:problem:QueueExists")
    assert "Retain" in problem["detail"]
    await admin.apply(entry())
    assert await admin.receive("orders") == ["a"]


async def test_receive_ends_when_its_entry_leaves(admin: Admin) -> None:
    await admin.apply(entry())
    waiting = asyncio.create_task(admin.queue("POST", "orders/messages:receive", {"wait": "20s"}))
    await admin.queue("GET", "orders")
    await admin.apply()
    assert (await asyncio.wait_for(waiting, 30))[0] == 404


async def test_run_time_queue_is_not_taken_by_a_document(admin: Admin) -> None:
    await admin.queue("PUT", "orders", {"visibilityTimeout": "5s"})
    await admin.send("orders", "a")
    _, answer = await admin.apply(entry(visibilityTimeout="1m"))
    assert _states(answer) == {"orders": ("Refused", "NameTaken")}
    _, info = await admin.queue("GET", "orders")
    assert (info["origin"], info["spec"]["visibilityTimeout"]) == ("Runtime", "5s")
    await admin.apply()
    assert await admin.receive("orders") == ["a"]


async def test_declared_queue_is_not_changed_by_clients(admin: Admin) -> None:
    await admin.apply(entry())
    for method, body in ("PATCH", {"visibilityTimeout": "5s"}), ("DELETE", None):
        status, problem = await admin.queue(method, "orders", body)
        assert (status, problem["type"]) == (409, "urn:quintet:problem:QueueDeclared")
    assert (await admin.queue("PUT", "orders", {}))[0] == 200


async def test_everything_survives_a_restart(admin: Admin) -> None:
    await admin.apply(entry(visibilityTimeout="1m"), entry("bad", deadLetter={"queue": "nowhere"}), revision=(4, 2))
    await admin.queue("PUT", "made", {"visibilityTimeout": "5s"})
    await admin.send("orders", "a")
    await admin.send("made", "b")
    before = await admin.served()
    admin.broker.kill()
    admin.broker.start()
    assert await admin.served() == before
    _, info = await admin.queue("GET", "made")
    assert (info["origin"], info["spec"]["visibilityTimeout"]) == ("Runtime", "5s")
    assert (await admin.receive("orders"), await admin.receive("made")) == (["a"], ["b"])
    status, _ = await admin.apply(revision=(4, 1))
    assert status == 409
