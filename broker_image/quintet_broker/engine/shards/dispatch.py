"""Dispatch: in one tick, the receives that wait are served. Pure; `now` is an argument."""

import random

from quintet_broker.engine.asked.receives import Receives
from quintet_broker.engine.claims.choosy_claim import ChoosyClaim
from quintet_broker.engine.claims.claim import Claim
from quintet_broker.engine.claims.ordered_claim import OrderedClaim
from quintet_broker.engine.claims.selective_claim import SelectiveClaim
from quintet_broker.engine.records.selector import Allowance
from quintet_broker.engine.requests import Receive
from quintet_broker.engine.shards.work import Work
from quintet_broker.engine.state.policy import Policy
from quintet_broker.engine.state.state import State
from quintet_broker.errors import InvalidArgument


class Dispatch:
    """Serves line by line, each until one of its receives finds nothing."""

    def __init__(
        self, state: State, policy: Policy, work: Work, now: int, receives: Receives, allowance: Allowance
    ) -> None:
        self._state = state
        self._policy = policy
        self._work = work
        self._now = now
        self._receives = receives
        self._allowance = allowance
        self.served = False
        """Whether one without a selector was."""
        self.going_on: set[str | None] = set()
        """Selectors that have not looked at all that is held, since the tick took long enough."""

    def run(self) -> None:
        for first in self._receives.firsts():
            receive: Receive | None = first
            while receive and self._serve(receive):
                receive = self._receives.first(first.selector)

    def _serve(self, receive: Receive) -> bool:
        """Whether the receive leaves its line."""
        if receive.selector is None and not self._state.holds_some:
            return False
        try:
            claim = self._claim(receive)
        except InvalidArgument as error:
            self._receives.remove(receive)
            receive.refuse(error)
            return True
        claim.take()
        self._work.totals.expired += claim.expired
        if isinstance(claim, ChoosyClaim) and claim.goes_on:
            self.going_on.add(receive.selector)
        if not claim.deliveries:
            return False
        self._receives.remove(receive)
        self.served |= receive.selector is None or self._policy.ordered
        self._work.answers.append((receive, claim.deliveries))
        self._work.totals.received += claim.taken
        return True

    def _claim(self, receive: Receive) -> Claim:
        """Raises InvalidArgument, of a selector."""
        nonce = random.getrandbits(32) or 1
        if receive.selector is not None:
            kind = OrderedClaim if self._policy.ordered else SelectiveClaim
            return kind(receive, self._state, self._policy, self._now, nonce, self._allowance)
        if self._policy.ordered:
            return OrderedClaim(receive, self._state, self._policy, self._now, nonce, self._allowance)
        return Claim(receive, self._state, self._policy, self._now, nonce)
