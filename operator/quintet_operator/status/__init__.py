"""What the operator says of an object: pure functions from facts to conditions, a file per condition."""
