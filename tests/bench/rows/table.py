"""All rows, by the name that the command takes."""

from tests.bench.rows import batches, drain, fifo, latency, pods, singles, sqs
from tests.bench.runner import Row


def rows(minutes: float) -> dict[str, Row]:
    """`minutes`: of the row that takes a time, not a number of messages."""
    return {
        "batches": batches.ROW,
        "singles": singles.ROW,
        "latency": latency.ROW,
        "sqs-batches": sqs.BATCHES,
        "sqs-singles": sqs.SINGLES,
        "fifo": fifo.row(minutes),
        "drain": drain.ROW,
        "pods": pods.ROW,
    }
