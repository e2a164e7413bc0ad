"""What the owner of a shard knows of it."""
