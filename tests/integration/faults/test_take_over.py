"""How soon a queue is served again after SIGKILL of the broker that owned it."""

import asyncio

import pytest

from quintet.client import Client
from tests.integration.faults.system import BUSY, LEASE, SLACK, make_queues, served
from tests.processes import Pool

BACK_WITHIN = 3.0
"""Seconds, where it is started again under its name."""
TAKEN_WITHIN = LEASE + 2
"""Seconds, where it is not."""


@pytest.mark.parametrize(("returns", "within"), [(True, BACK_WITHIN), (False, TAKEN_WITHIN)])
async def test_first_message(pool: Pool, clients: list[Client], returns: bool, within: float) -> None:
    await make_queues(clients[0])
    slack = SLACK + BUSY * await served(clients)
    broker = pool.brokers[0]
    await asyncio.to_thread(broker.kill)
    if returns:
        await asyncio.to_thread(broker.launch)
    took = await served(clients[1:])
    print(f"served {took:.2f} s after the kill")
    assert took < within + slack
