"""Where the engine's bytes are kept: Redis, its keys and its scripts. Knows no records."""
