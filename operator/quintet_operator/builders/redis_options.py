"""How a pool's Redis keeps what it holds, in a cluster and under `quintet up` alike."""

APPENDFSYNC = {"Memory": "everysec", "Fsync": "always"}
"""By a pool's durability."""


def options(durability: str) -> dict[str, str]:
    """Options of redis-server: a log of each write, no snapshots."""
    return {"appendonly": "yes", "appendfsync": APPENDFSYNC[durability], "save": ""}


def words(options: dict[str, str]) -> list[str]:
    """The options as redis-server takes them on its command line."""
    return [word for name, value in options.items() for word in (f"--{name}", value)]
