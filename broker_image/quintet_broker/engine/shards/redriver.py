"""Redriver: lets the records go that a redrive brings back. Pure; `now` is an argument."""

import random

from quintet_broker.engine.claims.claim import Claim
from quintet_broker.engine.claims.ordered_claim import OrderedClaim
from quintet_broker.engine.records.headers import source_shard
from quintet_broker.engine.records.reason import Reason
from quintet_broker.engine.requests import Delivery, Receive
from quintet_broker.engine.shards.work import Work
from quintet_broker.engine.state.policy import Policy
from quintet_broker.engine.state.redrive import AT_ONCE, Redrive
from quintet_broker.engine.state.state import State

HIDDEN = 60 * 1000
"""Milliseconds for which a record is out of the way that came from nowhere."""


class Redriver:
    """Claims records as a consumer does, and marks them as leaving; the mover does the rest."""

    def __init__(self, state: State, policy: Policy, work: Work, now: int) -> None:
        self._state = state
        self._policy = policy
        self._work = work
        self._now = now

    def run(self) -> None:
        redrive = self._state.redrive
        if redrive is None or not redrive.left:
            return
        if not self._state.visible:
            redrive.left = 0
            self._work.tick.meta["redrive"] = redrive.encode()
            return
        most = min(redrive.allowed(self._now), AT_ONCE - self._state.leaving)
        if most > 0 and self._state.holds_some:
            self._let_go(redrive, self._claim(most))

    def _claim(self, most: int) -> list[Delivery]:
        kind = OrderedClaim if self._policy.ordered else Claim
        receive = Receive(self._now, most, HIDDEN, self._now)
        claim = kind(receive, self._state, self._policy, self._now, nonce=random.randrange(1, 2**32))
        claim.take()
        self._work.totals.expired += claim.expired
        return claim.deliveries

    def _let_go(self, redrive: Redrive, deliveries: list[Delivery]) -> None:
        going = looked_at = 0
        for delivery in deliveries:
            lane = self._state.lanes[delivery.log]
            for offset, record in enumerate(delivery.records, delivery.offset):
                looked_at += 1
                if target := redrive.target or source_shard(record):
                    self._state.leave(lane, offset, target, Reason.REDRIVE)
                    going += 1
                else:
                    lane.cursor.give_back(offset, delivery.nonce, 1, self._now + HIDDEN)
        redrive.looked_at(looked_at, going, self._now)
        if deliveries:
            self._work.tick.meta["redrive"] = redrive.encode()
