"""Settle: what is asked about records that were delivered, by their receipts. Pure."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from quintet_broker.engine.requests import Acknowledge, Extend, Receipt
from quintet_broker.engine.state import State
from quintet_broker.errors import BrokerError

Results = list[BrokerError | None]
"""For each record, in order, None or why its receipt does not hold."""


def acknowledge(state: State, request: Acknowledge) -> Results:
    results: Results = []
    for receipt in _together(request.receipts):
        results += _settle(state.cursor(receipt[0]).acknowledge, receipt)
    return results


def _together(receipts: Iterable[Receipt]) -> Iterator[Receipt]:
    """Of deliveries that were neighbours, one for all."""
    log = offset = nonce = count = 0
    for receipt in receipts:
        if receipt[:3] == (log, offset + count, nonce):
            count += receipt[3]
            continue
        if count:
            yield log, offset, nonce, count
        log, offset, nonce, count = receipt
    if count:
        yield log, offset, nonce, count


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
