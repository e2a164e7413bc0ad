"""Hosts: where what listens there is reached."""

LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where to reach on its machine what listens on all addresses."""


def reached(host: str) -> str:
    """As it stands in a URL, for others on the same machine: `127.0.0.1` for `0.0.0.0`, `[::1]` for `::`."""
    host = LOOPBACK_OF.get(host, host)
    return f"[{host}]" if ":" in host else host
