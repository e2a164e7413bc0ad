"""The shards of a queue and of a pool, over the brokers that own them."""
