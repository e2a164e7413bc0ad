"""The form of an external Redis's URL, as users write it into a Secret."""

import re
from typing import Literal
from urllib.parse import SplitResult, urlsplit

Kind = Literal["one", "sentinel", "cluster"]
KINDS: dict[str, Kind] = {
    "redis": "one",
    "rediss": "one",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
}
"""By scheme, what it leads to. A socket of Unix is none: pods have only the network."""
HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
PORTS = range(1, 65536)
ENCODED = "In a user or password write / ? # @ % and spaces as %2F %3F %23 %40 %25 %20."


def fault(url: str) -> str:
    """A sentence that says what is wrong, and repeats nothing of the URL, which holds a password; empty where nothing
    is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return f"It is no URL. {ENCODED}"
    kind = KINDS.get(parts.scheme)
    if kind is None or not parts.netloc:
        return f"It does not begin with one of {', '.join(f'{scheme}://' for scheme in KINDS)}."
    return _fault_of_hosts(kind, parts.netloc.rpartition("@")[2].split(",")) or _fault_of_path(kind, parts)


def _fault_of_hosts(kind: Kind, hosts: list[str]) -> str:
    if not all(map(_is_host, hosts)):
        return f"What stands for its hosts is not host or host:port, with commas between. {ENCODED}"
    if kind == "one" and len(hosts) > 1:
        return "It has several hosts, which only redis+sentinel:// and redis+cluster:// take."
    return ""


def _is_host(text: str) -> bool:
    found = HOST.fullmatch(text)
    return found is not None and (found[1] is None or int(found[1]) in PORTS)


def _fault_of_path(kind: Kind, parts: SplitResult) -> str:
    path = [part for part in parts.path.split("/") if part]
    if kind == "sentinel" and not path:
        return "It lacks the name by which the Sentinels know the primary: redis+sentinel://host:26379/<name>."
    database = path[1:] if kind == "sentinel" else path
    if parts.fragment or len(database) > 1 or not all(map(str.isdecimal, database)):
        return f"What stands behind its hosts is not the number of a database. {ENCODED}"
    if kind == "cluster" and database not in ([], ["0"]):
        return "It names a database, and a Redis Cluster has the database 0 alone."
    return ""
