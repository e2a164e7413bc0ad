"""The records of a log, and the batches that hold them. Pure."""
