"""Settle: what is asked about records that were delivered, by their receipts. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from quintet_broker.engine.requests import Acknowledge, Extend, Receipt
from quintet_broker.engine.state.state import State
from quintet_broker.errors import BrokerError

Results = list[BrokerError | None]
"""For each record, in order, None or why its receipt does not hold."""


def acknowledge(state: State, request: Acknowledge) -> Results:
    results: Results = []
    for receipts in _neighbours(request.receipts):
        results += _settle_all(state.cursor(receipts[0][0]).acknowledge, receipts)
    return results


def _neighbours(receipts: Iterable[Receipt]) -> Iterator[list[Receipt]]:
    """Those that follow each other in one log under one nonce."""
    found: list[Receipt] = []
    following = None
    for receipt in receipts:
        log, offset, nonce, count = receipt
        if found and (log, offset, nonce) != following:
            yield found
            found = []
        found.append(receipt)
        following = log, offset + count, nonce
    if found:
        yield found


def _settle_all(verb: Callable[..., None], receipts: Sequence[Receipt]) -> Results:
    """Neighbours at once; where they were not delivered as one, each by itself."""
    _, offset, nonce, _ = receipts[0]
    if len(receipts) > 1:
        count = sum([receipt[3] for receipt in receipts])
        try:
            verb(offset, nonce, count)
        except BrokerError:
            return [result for receipt in receipts for result in _settle(verb, receipt)]
        return [None] * count
    return _settle(verb, receipts[0])


def extend(state: State, request: Extend, now: int) -> Results:
    results: Results = []
    for receipt, hidden in request.receipts:
        results += _settle(state.cursor(receipt[0]).extend, receipt, now + hidden)
    return results


def give_back(state: State, receipts: Iterable[Receipt], now: int) -> None:
    """Those settled meanwhile stay as they are."""
    for receipt in receipts:
        _settle(state.cursor(receipt[0]).give_back, receipt, now)


def _settle(verb: Callable[..., None], receipt: Receipt, *more: Any) -> Results:
    """All records of a receipt at once; where that does not hold for all, one by one."""
    _, offset, nonce, count = receipt
    try:
        verb(offset, nonce, count, *more)
    except BrokerError as error:
        if count == 1:
            # It is kept until it is told, and its traceback would keep four times as much.
            return [error.with_traceback(None)]
        return [result for place in range(count) for result in _settle(verb, (0, offset + place, nonce, 1), *more)]
    return [None] * count
