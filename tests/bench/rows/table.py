"""All rows, by the name that the command takes."""

from tests.bench.rows import batches, latency, singles, sqs

ROWS = {
    "batches": batches.ROW,
    "singles": singles.ROW,
    "latency": latency.ROW,
    "sqs-batches": sqs.BATCHES,
    "sqs-singles": sqs.SINGLES,
}
