"""As much of an API server as the operator's writes can tell from a real one."""

import copy
from http import HTTPStatus
from typing import Any

from quintet_operator.cluster import APPLY, KINDS, MERGE, Api, ApiError, Cluster
from quintet_operator.fence import open_fence

Manifest = dict[str, Any]
PLURALS = {kind.plural: kind for kind in KINDS.values()}


class FakeApi(Api):
    """Objects by path. What is applied replaces what it names; every write counts up resourceVersion."""

    def __init__(self) -> None:
        self.objects: dict[str, Manifest] = {}
        self.calls: list[str] = []
        """`PATCH /api/v1/…`: what was written."""
        self.reads = 0
        self.refused: dict[str, ApiError] = {}
        """By path: what a write or a list meets there."""
        self._version = 0

    async def request(self, method: str, path: str, **how: Any) -> Manifest:
        how.get("fence", open_fence)()
        if method == "GET":
            self.reads += 1
            return self._read(path)
        self.calls.append(f"{method} {path}")
        if path in self.refused:
            raise self.refused[path]
        return copy.deepcopy(getattr(self, f"_{method.lower()}")(path, **how))

    def _read(self, path: str) -> Manifest:
        root, _, plural = path.rpartition("/")
        if plural in PLURALS:
            if path in self.refused:
                raise self.refused[path]
            held = [one for place, one in self.objects.items() if place.startswith(root) and f"/{plural}/" in place]
            return {"items": copy.deepcopy(held)}
        if path not in self.objects:
            raise ApiError(HTTPStatus.NOT_FOUND, "NotFound", f"{path} not found")
        return copy.deepcopy(self.objects[path])

    def _post(self, path: str, *, body: Manifest, **_: Any) -> Manifest:
        place = f"{path}/{body['metadata']['name']}"
        if place in self.objects:
            raise ApiError(HTTPStatus.CONFLICT, "AlreadyExists", f"{place} is there")
        return self._store(place, body)

    def _patch(self, path: str, *, body: Manifest, content_type: str, query: Manifest, **_: Any) -> Manifest:
        path = path.removesuffix("/status")
        held = self.objects.get(path)
        wanted = body["metadata"].get("uid")
        if wanted and (held is None or held["metadata"]["uid"] != wanted):
            raise ApiError(HTTPStatus.CONFLICT, "Conflict", "another uid")
        if content_type == MERGE and held:
            return self._store(path, held | {"status": (held.get("status") or {}) | body.get("status", {})})
        assert content_type == APPLY
        if held and query["force"] == "false":
            raise ApiError(HTTPStatus.CONFLICT, "Conflict", "somebody else's fields")
        made = {part: held[part] for part in ("status",) if held and part in held} | body
        made["metadata"] = (held or {"metadata": {}})["metadata"] | {"ownerReferences": None} | body["metadata"]
        return made if query.get("dryRun") else self._store(path, made)

    def _delete(self, path: str, *, body: Manifest, **_: Any) -> Manifest:
        assert self._read(path)["metadata"]["uid"] == body["preconditions"]["uid"]
        return self.objects.pop(path)

    def _store(self, path: str, manifest: Manifest) -> Manifest:
        self._version += 1
        held = self.objects.get(path, {"metadata": {"generation": 0}, "spec": "none"})
        metadata = {"uid": f"uid-{self._version}", "creationTimestamp": "2026-01-01T00:00:00Z"} | {
            name: value for name, value in manifest["metadata"].items() if value is not None
        }
        metadata["resourceVersion"] = str(self._version)
        metadata["generation"] = held["metadata"]["generation"] + (held.get("spec") != manifest.get("spec"))
        self.objects[path] = copy.deepcopy(manifest | {"metadata": metadata})
        return self.objects[path]

    # For tests

    def put(self, manifest: Manifest) -> Manifest:
        """Somebody wrote it."""
        return copy.deepcopy(self._store(place(manifest), manifest))

    def get(self, kind: str, name: str, namespace: str = "shop") -> Manifest | None:
        return copy.deepcopy(self.objects.get(KINDS[kind].path(namespace, name)))

    def remove(self, kind: str, name: str, namespace: str = "shop") -> Manifest:
        return self.objects.pop(KINDS[kind].path(namespace, name))

    def cluster(self) -> Cluster:
        return Cluster(self, open_fence)


def place(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    return KINDS[manifest["kind"]].path(metadata["namespace"], metadata["name"])
