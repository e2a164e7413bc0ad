"""`quintet up`: Redis and brokers as child processes on loopback, holding what the manifests say."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from quintet.client import Client, connect
from quintet.embedded import broker, control, ready, redis_server, watch
from quintet.embedded.broker import BrokerAdmin
from quintet.embedded.errors import CannotRun, Refused
from quintet.embedded.places import Place, places
from quintet.embedded.processes import Process
from quintet.embedded.state import State, passing_directory, write_json
from quintet.embedded.system import System

PROBE_WITHIN = 10.0
"""Seconds for one request to the broker."""


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    sources: tuple[Path, ...]
    state_directory: Path | None
    """None: one that is gone afterwards, and nothing is written to disk."""
    host: str
    http_port: int
    """0 takes a free one."""
    admin_port: int
    """0 takes a free one."""
    brokers: int
    account_id: str | None
    """None: as the BrokerPool says."""
    auth: bool
    ready_file: Path | None
    """Written beside the one in the state directory."""

    @property
    def is_ephemeral(self) -> bool:
        return self.state_directory is None


def run(options: Options, tell: Callable[[str], None], greet: Callable[["Up"], None]) -> None:
    """Until SIGINT or SIGTERM; `greet` is called when all is ready. Raises Refused, CannotRun."""
    with ExitStack() as stack:
        state = State(options.state_directory or stack.enter_context(passing_directory()))
        stack.enter_context(state.held())
        sockets = stack.enter_context(state.sockets())
        asyncio.run(_until_stopped(Up(options, state, sockets, tell).run(greet), tell))


async def _until_stopped(work: Coroutine[Any, Any, None], tell: Callable[[str], None]) -> None:
    task = asyncio.ensure_future(work)

    def stop() -> None:
        # Once: a second signal must not stop the stopping.
        if not task.cancelling():
            task.cancel()
            tell("stopping ...")

    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants it
            asyncio.get_running_loop().add_signal_handler(number, stop)
    with suppress(asyncio.CancelledError):
        await task


class Up:
    """One run."""

    def __init__(self, options: Options, state: State, sockets: Path, tell: Callable[[str], None]) -> None:
        """Raises Refused, CannotRun."""
        self.options = options
        self.state = state
        if options.ready_file:
            ready.check_replaceable(options.ready_file)
        self._tell = tell
        self._redis_socket = sockets / "redis.sock"
        self._control_socket = sockets / "control.sock"
        self._seen = watch.picture(options.sources)
        self.system = System(state, options.sources)
        self.places = places(options.host, options.http_port, options.admin_port, options.brokers)
        """Of the brokers."""
        state.make_secrets()

    @property
    def endpoints(self) -> dict[str, Any]:
        first = self.places[0]
        return {
            "http": first.http,
            "admin": first.admin,
            "control": f"unix://{self._control_socket}",
            "brokers": [{"name": place.name, "http": place.http, "admin": place.admin} for place in self.places],
        }

    async def run(self, greet: Callable[["Up"], None]) -> None:
        """Until cancelled. Raises Refused, CannotRun."""
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(PROBE_WITHIN))
            )
            admin = BrokerAdmin(session, [place.admin for place in self.places], self.state.admin_token)
            client = await stack.enter_async_context(self._client())
            redis = self._redis_process()
            brokers = [self._broker_process(place, admin) for place in self.places]
            # Ends in the other order: the brokers write what they have under way before Redis goes.
            stack.push_async_callback(redis.stop)
            stack.push_async_callback(lambda: _together(*(one.stop() for one in brokers)))
            await redis_server.check_unused(self._redis_socket)
            await _together(*(one.start() for one in [redis, *brokers]))
            await self.system.start(admin, client, f"{self.endpoints['http']}/{self.account_id}")
            await stack.enter_async_context(control.served(self.system, self._control_socket))
            stack.callback(self._retract)
            self._publish()
            self.system.on_change = self._publish
            greet(self)
            await _together(*(one.keep(self._tell) for one in [redis, *brokers]), self._follow())

    def _redis_process(self) -> Process:
        program = redis_server.find()
        redis_server.check_data(program, self.state.redis)
        durability = None if self.options.is_ephemeral else self.system.pool.durability
        command = redis_server.command(program, self.state.redis, self._redis_socket, durability)
        return Process("redis", command, {}, self.state.logs, lambda: redis_server.is_up(self._redis_socket))

    def _broker_process(self, place: Place, admin: BrokerAdmin) -> Process:
        pool = self.system.pool
        settings = {
            "redis_url": f"unix://{self._redis_socket}",
            "prefix": pool.name,
            "durability": "Memory" if self.options.is_ephemeral else pool.durability,
            "namespace": pool.namespace,
            "pool": pool.name,
            "pod_name": place.name,
            "host": place.host,
            "http_port": place.http_port,
            "http_address": place.http,
            "admin_port": place.admin_port,
            "peer_port": place.peer_port,
            "peer_address": place.peer,
            "account_id": self.account_id,
            "auth": str(self.options.auth).lower(),
            "master_key_file": self.state.master_key_file,
            "admin_token_file": self.state.admin_token_file,
        }
        environment = broker.environment(settings)
        return Process(place.name, broker.COMMAND, environment, self.state.logs, lambda: admin.is_up(place.admin))

    def _client(self) -> Client:
        pool = self.system.pool
        key = ready.credentials("BrokerPool", pool.namespace, pool.name, self.state.master_key)
        return connect(self.endpoints["http"], key_id=key["accessKeyId"], secret=key["secretAccessKey"])

    @property
    def account_id(self) -> str:
        return self.options.account_id or self.system.pool.account

    @property
    def _ready_files(self) -> list[Path]:
        return [file for file in (self.options.ready_file, self.state.ready_file) if file]

    def _publish(self) -> None:
        told = ready.ready(
            self.endpoints, self.account_id, self.system.pool, self.system.manifests, self.state.master_key
        )
        for file in self._ready_files:
            try:
                write_json(file, told)
            except OSError as error:
                raise CannotRun(f"the ready file {file} cannot be written: {error.strerror}") from error

    def _retract(self) -> None:
        for file in self._ready_files:
            file.unlink(missing_ok=True)

    async def _follow(self) -> None:
        """Take over what changes in the files."""
        in_order = True
        async for _ in watch.changes(self.options.sources, self._seen, self.system.is_deletion_due):
            try:
                outcomes = await self.system.reload()
            except (Refused, CannotRun) as error:
                in_order = False
                self._tell(f"{error}\nnothing was changed; what ran before goes on")
            else:
                if not in_order:
                    self._tell("the manifests are in order again")
                in_order = True
                for name, outcome in outcomes:
                    self._tell(f"{name} {outcome}")


async def _together(*coroutines: Coroutine[Any, Any, None]) -> None:
    """All of them; the first error ends the others. Raises that error."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for coroutine in coroutines:
                tasks.create_task(coroutine)
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
