"""A shard under its owner: what a tick does, and what is read beside it."""
