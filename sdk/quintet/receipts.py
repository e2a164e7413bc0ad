"""Receipts: what names deliveries in a frame, those that follow each other as one."""

from collections.abc import Callable, Sequence
from typing import Any

from quintet import frames
from quintet.message import Content, Delivery

Held = Content | str
"""A delivered message, or its receipt."""
BYTES = 40
"""Of one in a frame, about."""

Results = Callable[[frames.Settled], Sequence[frames.Problem | None]]


def check(*held: Held) -> None:
    """Raises TypeError, and ValueError for text that is not Unicode, so that none spoils another's request."""
    for one in held:
        if isinstance(one, str):
            one.encode()
        elif not isinstance(one, Content):
            raise TypeError(f"A message or its receipt is wanted, not {type(one).__name__}")


def packed(held: Sequence[Held]) -> tuple[list[Any], Results]:
    """For a frame, and what makes a result for each out of its answer. Messages may come in any order."""
    order = sorted(range(len(held)), key=[_rank(one) for one in held].__getitem__)
    receipts: list[Any] = []
    delivery: Delivery | None = None
    first = count = 0
    for index in order:
        one = held[index]
        if isinstance(one, str):
            receipts.append(one)
        elif one._delivery is delivery and one._place == first + count:
            count += 1
        else:
            if delivery:
                receipts.append(delivery.receipts_at(first, count))
            delivery, first, count = one._delivery, one._place, 1
    if delivery:
        receipts.append(delivery.receipts_at(first, count))

    def results(settled: frames.Settled) -> Sequence[frames.Problem | None]:
        found: list[frames.Problem | None] = [None] * len(held)
        if settled.results:
            for index, result in zip(order, settled.results, strict=True):
                found[index] = result
        return found

    return receipts, results


def _rank(held: Held) -> int:
    """Those of one delivery follow each other by their places."""
    return 0 if isinstance(held, str) else (id(held._delivery) << 16) + held._place
