"""When the leader says that it is not ready, and when that it should be started anew."""

import pytest

from quintet_operator.leader import COMPLETE_WITHIN, LEASE_SEEN_WITHIN, Leader
from quintet_operator.metrics import Metrics
from quintet_operator.settings import Settings
from tests.unit.quintet_operator.fake_api import FakeApi
from tests.unit.quintet_operator.room import FakeBroker
from tests.unit.quintet_operator.test_lease import Replicas

SETTINGS = Settings("quintet:1", "redis:7", "quintet-system", "pod-0")
LEASE = {
    "kind": "Lease",
    "metadata": {"namespace": "quintet-system", "name": "quintet-operator", "uid": "u", "resourceVersion": "1"},
}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("quintet_operator.leader.time.monotonic", made)
    return made


@pytest.fixture
def leading(clock: Clock) -> Leader:
    made = Leader(SETTINGS, FakeApi(), Replicas().leases[0], FakeBroker(), Metrics())
    made._dispatch._clock = clock
    return made


def test_while_something_cannot_be_listed_it_waits_and_is_not_ready(leading: Leader, clock: Clock) -> None:
    clock.now += 10_000
    assert leading.unready
    assert leading.unhealthy == ""


def test_watches_that_never_tell_all_lead_to_a_restart(leading: Leader, clock: Clock) -> None:
    leading._watching_since = clock.now
    assert leading.unhealthy == ""
    clock.now += COMPLETE_WITHIN + 1
    assert leading.unhealthy


async def test_watches_that_fall_silent_lead_to_a_restart(leading: Leader, clock: Clock) -> None:
    leading._watching_since = clock.now
    leading._dispatch.told(LEASE)
    await leading._resync.until_complete()
    assert leading.unready == ""
    for _ in range(10):
        clock.now += LEASE_SEEN_WITHIN - 1
        assert leading.unhealthy == ""
        leading._dispatch.told(LEASE)
    clock.now += LEASE_SEEN_WITHIN + 1
    assert "silent" in leading.unhealthy


async def test_anothers_lease_is_not_its_own(leading: Leader, clock: Clock) -> None:
    leading._watching_since = clock.now
    await leading._resync.until_complete()
    leading._dispatch.told(LEASE | {"metadata": LEASE["metadata"] | {"namespace": "elsewhere"}})  # type: ignore[operator]
    assert leading.unhealthy
