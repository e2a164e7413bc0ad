"""What was asked of a shard, until it is answered: arrivals, and receives that wait."""
