"""`python -m quintet_operator`: waits for the Lease, leads, and gives it back on SIGTERM."""

import asyncio
import logging
import signal
import sys

from aiohttp import web

from quintet_operator import cluster, probes
from quintet_operator.broker_client import BrokerClient
from quintet_operator.leader import Leader
from quintet_operator.lease import Lease, LeaseLost, LeaseStore
from quintet_operator.metrics import Metrics
from quintet_operator.settings import Settings, from_environment

STOP_WITHIN = 2.5
"""Seconds, for what is under way."""

logger = logging.getLogger("quintet_operator")


class Operator:
    """A replica: a standby first, then perhaps the leader."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = Metrics()
        self._leader: Leader | None = None
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises what ended it before, LeaseLost among it."""
        self._take_signals()
        runner = await self._serve_probes()
        api = await cluster.connect()
        settings = self._settings
        store = LeaseStore(api, settings.namespace, settings.lease_name)
        lease = Lease(store, settings.lease_name, settings.namespace, settings.pod_name, settings.lease_seconds)
        brokers = BrokerClient(lease.check)
        leading = asyncio.create_task(self._lead(api, lease, brokers))
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([leading, stopped], return_when=asyncio.FIRST_COMPLETED)
            if leading.done():
                leading.result()
        finally:
            leading.cancel()
            await asyncio.wait([leading], timeout=STOP_WITHIN)
            # Only now: another may write from then on.
            await lease.release()
            stopped.cancel()
            await brokers.close()
            await api.close()
            await runner.cleanup()

    async def _lead(self, api: cluster.Api, lease: Lease, brokers: BrokerClient) -> None:
        await lease.acquire()
        self._leader = Leader(self._settings, api, lease, brokers, self._metrics)
        self._metrics.leader.set(1)
        self._metrics.depth.set_function(self._leader.queue.__len__)
        await self._leader.run(self._take_signals)

    async def _serve_probes(self) -> web.AppRunner:
        app = probes.application(
            alive=lambda: self._leader.unhealthy if self._leader else "",
            ready=lambda: self._leader.unready if self._leader else "",
            metrics=self._metrics,
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        # All addresses, of IPv4 and IPv6.
        await web.TCPSite(runner, None, self._settings.port).start()
        return runner

    def _take_signals(self) -> None:
        for number in signal.SIGTERM, signal.SIGINT:
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)


def main() -> None:
    settings = from_environment()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # It tells of each event that it handled.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        asyncio.run(Operator(settings).run())
    except* LeaseLost as lost:
        logger.error("no longer the leader: %s", lost.exceptions[0])
        sys.exit(1)


if __name__ == "__main__":
    main()
