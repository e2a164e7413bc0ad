"""What is said where an object of somebody else has the name of a child."""

from collections.abc import Sequence

from quintet_api import names
from quintet_operator.status.condition import Verdict


def name_taken(objects: Sequence[str]) -> Verdict:
    """`objects`: `Secret/orders-queue`."""
    message = f"Not ours and left untouched: {', '.join(objects)}. Delete what is in the way, or choose another name."
    return Verdict("False", names.NAME_TAKEN, message)
