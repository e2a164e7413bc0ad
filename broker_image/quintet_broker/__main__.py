"""`python -m quintet_broker`: puts the parts together, serves, and stops in order on SIGTERM."""

import asyncio
import gc
import logging
import signal
import time
from collections.abc import Callable
from functools import partial

import uvloop
from aiohttp import web
from aiohttp.http import HttpProcessingError

from quintet_broker import allocator, capacity
from quintet_broker.engine.engine import Engine, Membership
from quintet_broker.engine.pool.owners import Member
from quintet_broker.protocols.connections import Connection, Connections, Site
from quintet_broker.protocols.lane import LANE, LaneConnection
from quintet_broker.services.access import Access
from quintet_broker.services.topology import Topology
from quintet_broker.settings import Settings, from_environment
from quintet_broker.store.address import BadUrl
from quintet_broker.store.members import Members
from quintet_broker.store.redis import Store
from quintet_broker.web import admin_application, application

ADMIN_CONNECTIONS = 128
"""On the admin port; where there are more, a probe is served all the same."""
DRAIN = 5.0
"""Seconds that requests under way have to end; none of them waits for messages any more."""
COLLECT_EVERY = (50_000, 20, 50)
"""Objects made between two collections, which find next to nothing, and how many of these make a deeper one."""

Make = Callable[[web.Server], Connection]


async def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT. Raises what ended the engine or the topology before."""
    engine = Engine(
        Store(settings.redis, settings.prefix, settings.durability),
        _membership(settings),
        capacity.remembered(settings.deduplication_bytes),
    )
    topology = Topology(engine, settings.pool)
    access = Access(
        enabled=settings.auth,
        master_key=settings.master_key,
        namespace=settings.namespace,
        pool=settings.pool,
        dead_letter_queue=topology.dead_letter_queue,
        rules=topology.rules,
    )

    def ready() -> bool:
        return engine.connected and topology.restored

    await engine.listen(settings.host, settings.peer_port)
    running = engine.start()
    keeping = asyncio.create_task(topology.run())
    clients = Connections(capacity.connections(settings.connections))
    admins = Connections(ADMIN_CONNECTIONS, oldest_goes=True)
    app = application(settings, access, topology)
    runners = [
        await _listen(app, partial(LaneConnection, clients, app[LANE]), settings.host, settings.http_port),
        await _listen(
            admin_application(settings, topology, ready),
            partial(Connection, admins),
            settings.host,
            settings.admin_port,
        ),
    ]
    stopped = asyncio.create_task(_stop_signal())
    await asyncio.wait([running, keeping, stopped], return_when=asyncio.FIRST_COMPLETED)
    try:
        if not stopped.done():
            # Whoever started the broker starts it again: better than to serve without a part of it.
            await asyncio.gather(running, keeping)
    finally:
        try:
            await engine.drain()
            await asyncio.gather(*(runner.cleanup() for runner in runners))
        finally:
            keeping.cancel()
            await engine.stop()


def _membership(settings: Settings) -> Membership:
    # The clock tells a later start from an earlier one.
    me = Member(settings.pod_name, time.time_ns() // 1_000_000, settings.peer, settings.http)
    return Membership(
        me,
        lambda: Members(settings.redis, settings.prefix),
        settings.lease,
        settings.admin_token.encode(),
    )


async def _listen(
    app: web.Application, make: Callable[[web.Server], Connection], host: str, port: int
) -> web.AppRunner:
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=DRAIN)
    await runner.setup()
    await Site(runner, make, host, port).start()
    return runner


async def _stop_signal() -> None:
    stop = asyncio.Event()
    for number in signal.SIGTERM, signal.SIGINT:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


def _not_a_clients_fault(record: logging.LogRecord) -> bool:
    """Whether to log it: what comes and is no HTTP is answered with 400, and would fill the log."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (HttpProcessingError, web.RequestPayloadError))


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("aiohttp.server").addFilter(_not_a_clients_fault)
    gc.freeze()
    gc.set_threshold(*COLLECT_EVERY)
    allocator.keep_freed()
    try:
        uvloop.run(serve(from_environment()))
    except BadUrl as error:
        raise SystemExit(f"quintet broker: QUINTET_REDIS_URL: {error}") from error


if __name__ == "__main__":
    main()
