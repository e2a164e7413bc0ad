"""A system in a cluster: what is asked of Kubernetes, and how its brokers are reached."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from quintet.cli.kubectl import Kubectl, Manifest
from quintet.cli.system import TIMEOUT, Broker
from quintet.embedded.errors import CannotRun

if TYPE_CHECKING:
    from quintet import Client

HTTP_PORT, ADMIN_PORT = 9400, 9401
QUEUE, POOL = "queues.quintet.dev", "brokerpools.quintet.dev"
BROKER_PODS = "quintet.dev/kind=BrokerPool,app.kubernetes.io/component=broker"


class Cluster:
    """See system.System. The client goes through one forwarded port, and so to one broker, which passes on what is
    another's."""

    def __init__(self, kubectl: Kubectl, pool: str | None) -> None:
        """`pool`: of queues that no object declares; None is the default."""
        self._kubectl = kubectl
        self._pool = pool

    @asynccontextmanager
    async def client(self, queue: str, *, whole_pool: bool = False) -> AsyncIterator[Client]:
        from quintet import connect

        declared = next(iter(await self._kubectl.get(f"{QUEUE}/{queue}") if _may_be_declared(queue) else ()), None)
        pool = await self._ready_pool(declared)
        if declared and not whole_pool:
            key, secret = await self._binding(declared)
        else:
            key, secret = await self._pool_key(pool)
        async with (
            self._kubectl.forwarded(f"service/{_child(pool)}", HTTP_PORT) as port,
            connect(f"http://127.0.0.1:{port}", key_id=key, secret=secret, timeout=TIMEOUT) as client,
        ):
            yield client

    @asynccontextmanager
    async def brokers(self) -> AsyncIterator[Sequence[Broker]]:
        """Of all pools of the namespace."""
        pods = await self._kubectl.get("pods", f"--selector={BROKER_PODS}")
        if not pods:
            raise CannotRun("there are no brokers in this namespace")
        running = [pod for pod in pods if pod["status"].get("phase") == "Running"]
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.TaskGroup() as tasks:
                    opening = [tasks.create_task(self._broker(stack, pod)) for pod in running]
            except ExceptionGroup as group:
                raise group.exceptions[0] from None
            yield sorted(task.result() for task in opening)

    async def _broker(self, stack: AsyncExitStack, pod: Manifest) -> Broker:
        """Reached as long as the stack is open."""
        name, pool = pod["metadata"]["name"], pod["metadata"]["labels"]["quintet.dev/name"]
        port = await stack.enter_async_context(self._kubectl.forwarded(f"pod/{name}", ADMIN_PORT))
        return Broker(pool, name, f"http://127.0.0.1:{port}")

    async def _ready_pool(self, queue: Manifest | None) -> Manifest:
        """With a broker that serves at least. Raises CannotRun."""
        name = queue["spec"]["brokerPool"] if queue else self._pool or "default"
        pool = next(iter(await self._kubectl.get(f"{POOL}/{name}")), None)
        if pool is None:
            raise CannotRun(f"broker-pool/{name}: is not there")
        status = pool.get("status") or {}
        if not status.get("readyReplicas"):
            ready: Manifest = next((one for one in status.get("conditions", ()) if one["type"] == "Ready"), {})
            why = ready.get("message") or ready.get("reason") or "the operator has not looked at it yet"
            raise CannotRun(f"broker-pool/{name}: is not ready: {why}")
        return pool

    async def _binding(self, queue: Manifest) -> tuple[str, str]:
        """The queue's own key. Raises CannotRun."""
        name = ((queue.get("status") or {}).get("binding") or {}).get("name")
        if not name:
            raise CannotRun(f"queue/{queue['metadata']['name']}: is not ready: it has no Secret yet")
        secret = await self._secret(name)
        return _entry(secret, "AWS_ACCESS_KEY_ID"), _entry(secret, "AWS_SECRET_ACCESS_KEY")

    async def _pool_key(self, pool: Manifest) -> tuple[str, str]:
        """The key that may do everything. Raises CannotRun."""
        from quintet_api.credentials import key_id, secret_key

        secret = await self._secret(f"{_child(pool)}-credentials")
        key = key_id("BrokerPool", pool["metadata"]["namespace"], pool["metadata"]["name"])
        return key, secret_key(_entry(secret, "master-key").encode(), key)

    async def _secret(self, name: str) -> Manifest:
        for secret in await self._kubectl.get(f"secrets/{name}"):
            return secret
        raise CannotRun(f"secret/{name}: is not there")


def _may_be_declared(queue: str) -> bool:
    """Clients may make queues whose names no object can have, and kubectl then has no answer."""
    return queue.replace("-", "a").isalnum() and queue == queue.lower()


def _child(pool: Manifest) -> str:
    """Name of its Service, by which those of its other children begin."""
    return f"{pool['metadata']['name']}-broker-pool"


def _entry(secret: Manifest, key: str) -> str:
    """Raises CannotRun."""
    try:
        return base64.b64decode(secret["data"][key], validate=True).decode()
    except (KeyError, TypeError, binascii.Error, UnicodeDecodeError) as error:
        raise CannotRun(f"secret/{secret['metadata']['name']}: has no {key}") from error
