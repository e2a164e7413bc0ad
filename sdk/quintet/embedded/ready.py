"""The ready file: where clients find what runs, and with which keys."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from quintet.embedded.declared import PREFIXES, Pool
from quintet.embedded.errors import CannotRun
from quintet_api.credentials import key_id, secret_key
from quintet_api.validation import Manifest

REGION = "us-east-1"


def ready(
    endpoints: dict[str, str], account_id: str, pool: Pool, manifests: Iterable[Manifest], master_key: bytes
) -> dict[str, Any]:
    """A key for the pool, which may do everything, and one for each declared queue."""
    objects = [("BrokerPool", pool.name), *((one.kind, one.name) for one in manifests if one.kind == "Queue")]
    return {
        "endpoints": endpoints,
        "credentials": {
            f"{PREFIXES[kind]}/{name}": credentials(kind, pool.namespace, name, master_key) for kind, name in objects
        },
        "accountId": account_id,
        "region": REGION,
    }


def check_replaceable(file: Path) -> None:
    """Raises CannotRun where something else than a ready file is there: it would be overwritten, and deleted later."""
    try:
        told = json.loads(file.read_bytes())
    except FileNotFoundError:
        return
    except OSError as error:
        raise CannotRun(f"the ready file {file} cannot be used: {error.strerror}") from error
    except ValueError:
        told = None
    if not isinstance(told, dict) or not told.keys() >= {"endpoints", "credentials"}:
        raise CannotRun(f"{file} is there and is no ready file: name another with --ready-file")


def credentials(kind: str, namespace: str, name: str, master_key: bytes) -> dict[str, str]:
    """The first access key of an object."""
    made = key_id(kind, namespace, name)
    return {"accessKeyId": made, "secretAccessKey": secret_key(master_key, made)}
