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


def check(held: Sequence[Held]) -> None:
    """Raises TypeError, and ValueError for text that is not Unicode, so that none spoils another's request."""
    for one in held:
        if isinstance(one, Content):
            continue
        if not isinstance(one, str):
            raise TypeError(f"A message or its receipt is wanted, not {type(one).__name__}")
        one.encode()


def packed(held: Sequence[Held]) -> tuple[list[Any], Results]:
    """For a frame, and what makes a result for each out of its answer. Messages may come in any order."""
    order: Sequence[int] = range(len(held))
    receipts, deliveries = _merged(held)
    if len(receipts) > deliveries:
        order = sorted(order, key=[_rank(one) for one in held].__getitem__)
        receipts, _ = _merged([held[index] for index in order])

    def results(settled: frames.Settled) -> Sequence[frames.Problem | None]:
        found: list[frames.Problem | None] = [None] * len(held)
        if settled.results:
            for index, result in zip(order, settled.results, strict=True):
                found[index] = result
        return found

    return receipts, results


def _merged(held: Sequence[Held]) -> tuple[list[Any], int]:
    """Those that follow each other as one, and of how many deliveries they are."""
    receipts: list[Any] = []
    deliveries: set[int] = set()
    delivery: Delivery | None = None
    first = end = 0
    for one in held:
        if isinstance(one, Content) and one._delivery is delivery and one._place == end:
            end += 1
            continue
        if delivery:
            receipts.append(delivery.receipts_at(first, end - first))
            delivery = None
        if isinstance(one, Content):
            delivery, first, end = one._delivery, one._place, one._place + 1
            deliveries.add(id(delivery))
        else:
            receipts.append(one)
            deliveries.add(id(one))
    if delivery:
        receipts.append(delivery.receipts_at(first, end - first))
    return receipts, len(deliveries)


def _rank(held: Held) -> int:
    """Those of one delivery follow each other by their places."""
    return 0 if isinstance(held, str) else (id(held._delivery) << 16) + held._place
