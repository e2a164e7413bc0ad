"""The engine against the model once more, over a real Redis: the script's fence, its arithmetic, its bytes."""

import uuid
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from quintet_broker.engine.shards import rewriter
from quintet_broker.store.redis import Store
from tests.processes import RedisServer
from tests.unit.engine_machine import EngineMachine
from tests.unit.fake_store import Inner
from tests.unit.fifo_machine import FifoMachine

SETTINGS = settings(max_examples=30, stateful_step_count=30, database=None, suppress_health_check=list(HealthCheck))


class OnRedis:
    """A machine's store."""

    url: ClassVar[str]

    async def make_store(self) -> Inner:
        self.redis = Store(self.url, prefix=str(uuid.uuid4()))
        await self.redis.connect()
        return self.redis

    def change_id(self) -> None:
        for node in self.redis._connection.nodes:
            node.identity += "'"

    async def close_store(self) -> None:
        await self.redis.close()


class RedisMachine(OnRedis, EngineMachine):
    """A queue without an order."""


class FifoRedisMachine(OnRedis, FifoMachine):
    """A queue that keeps an order."""


@pytest.mark.parametrize("machine", [RedisMachine, FifoRedisMachine])
def test_agrees_with_the_model(
    redis_server: RedisServer, machine: type[EngineMachine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewriter, "LEAST_BYTES", 1)
    OnRedis.url = redis_server.url
    run_state_machine_as_test(machine, settings=SETTINGS)


def test_without_the_fence_it_does_not(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script as it is, but for the line that refuses."""
    from quintet_broker.store import redis

    scripts = redis._scripts
    monkeypatch.setattr(redis, "_scripts", lambda version: [s.replace("return 'FENCED'", "") for s in scripts(version)])
    OnRedis.url = redis_server.url
    with pytest.raises(BaseException):  # noqa: B017, PT011 - an ExceptionGroup or an AssertionError, as it is found
        run_state_machine_as_test(
            RedisMachine, settings=settings(SETTINGS, max_examples=200, phases=[Phase.generate], print_blob=False)
        )
