"""Handler: what is done with one message of a queue, and how it is settled."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable

from quintet import tracing
from quintet.errors import RETRIED, QuintetError
from quintet.message import Message
from quintet.worker.heartbeat import Held
from quintet.worker.outcome import Outcome, Policy, Reject, Retry, Verdict, judged
from quintet.worker.spec import Spec

Handle = Callable[[Message], Awaitable[None]]

logger = logging.getLogger("quintet.worker")


class Handler:
    """Handles messages, each in a task that can be cancelled."""

    def __init__(self, handle: Handle, policy: Policy, spec: Spec) -> None:
        self.counts: Counter[Verdict] = Counter()
        self.ending = False
        """Nothing more is to begin, and what is cancelled is released."""
        self._handle = handle
        self._policy = policy
        self._spec = spec

    async def handle(self, held: Held) -> Outcome:
        """How the message is to be settled."""
        held.handling = asyncio.create_task(self._limited(held.message))
        await asyncio.wait([held.handling])
        outcome = await self._outcome(held)
        self.counts[outcome.verdict] += 1
        self._log(held, outcome)
        return outcome

    async def settle(self, held: Held, outcome: Outcome) -> None:
        try:
            await self._settle(held, outcome)
        except QuintetError as error:
            logger.warning("%s: it was %s, but may be delivered again: %s", _named(held), outcome.verdict, error)

    async def _limited(self, message: Message) -> None:
        with tracing.processing(message):
            try:
                async with asyncio.timeout(self._policy.time_limit):
                    await self._handle(message)
            except SystemExit as error:
                raise RuntimeError(f"Its handler called sys.exit({error.code!r}).") from error

    async def _outcome(self, held: Held) -> Outcome:
        if held.lost:
            return Outcome(Verdict.LOST)
        if held.error is None:
            return Outcome(Verdict.HANDLED)
        if self.ending and isinstance(held.error, asyncio.CancelledError):
            return Outcome(Verdict.RELEASED)
        try:
            max_receives = await self._spec.max_receives()
        except QuintetError:
            # To drop it would be rash while it is not known whether there is a dead-letter queue.
            return Outcome(Verdict.RETRIED, self._policy.backoff.seconds(held.message.deliveries))
        return judged(held.error, held.message.deliveries, self._policy, max_receives)

    async def _settle(self, held: Held, outcome: Outcome) -> None:
        """Raises QuintetError."""
        match outcome.verdict:
            case Verdict.HANDLED | Verdict.DROPPED:
                await self._acknowledge(held.message)
            case Verdict.RETRIED:
                await held.still()
                await held.message.extend(outcome.after)
            case Verdict.REJECTED | Verdict.RELEASED:
                await held.still()
                await held.message.release()

    async def _acknowledge(self, message: Message) -> None:
        """What was handled is not handled again because of a broker that is away: it is kept until it is back."""
        while True:
            try:
                return await message.acknowledge()
            except RETRIED as error:
                if self.ending:
                    raise
                logger.warning("%s: message %s is not acknowledged yet: %s", message.queue.name, message.id, error)

    def _log(self, held: Held, outcome: Outcome) -> None:
        match outcome.verdict, held.error:
            case Verdict.RETRIED, Retry():
                logger.info("%s: tried again in %.1f s, as its handler asked", _named(held), outcome.after)
            case Verdict.RETRIED, error:
                logger.error("%s failed, and is tried again in %.1f s", _named(held), outcome.after, exc_info=error)
            case ((Verdict.REJECTED | Verdict.DROPPED), error):
                what = error if isinstance(error, Reject) else "it failed"
                logger.error("%s is %s: %s", _named(held), outcome.verdict, what, exc_info=error)
            case Verdict.LOST, _:
                logger.warning("%s was delivered again before it was settled", _named(held))
            case Verdict.RELEASED, _:
                logger.warning("%s was cancelled, as the worker ends", _named(held))


def _named(held: Held) -> str:
    return f"{held.message.queue.name}: message {held.message.id} (delivery {held.message.deliveries})"
