"""The API server: the only file that talks to it, but for the watches."""

import contextlib
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from quintet_api import names
from quintet_operator.builders.metadata import Manifest
from quintet_operator.fence import Fence, open_fence, trace

TIMEOUT = aiohttp.ClientTimeout(total=4.5, connect=3.0)
"""Seconds. A write that passed the fence is over before another leader can begin: a third of the Lease's time."""
LIST_TIMEOUT = aiohttp.ClientTimeout(total=60.0, connect=4.0)

JSON = "application/json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
"""JSON is YAML too."""


@dataclass(frozen=True)
class Kind:
    """A kind of object, and where the API server has it."""

    kind: str
    api_version: str
    plural: str

    @property
    def group_version_plural(self) -> tuple[str, str, str]:
        """As kopf names it; the core group's name is empty."""
        group, _, version = self.api_version.rpartition("/")
        return group, version, self.plural

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        root = "/apis/" if "/" in self.api_version else "/api/"
        parts = (self.plural, name, subresource)
        inside = f"/namespaces/{namespace}" if namespace else ""
        return root + self.api_version + inside + "".join(f"/{part}" for part in parts if part)


KINDS = {
    kind.kind: kind
    for kind in (
        Kind("BrokerPool", names.API_VERSION, "brokerpools"),
        Kind("Queue", names.API_VERSION, "queues"),
        Kind("Secret", "v1", "secrets"),
        Kind("Service", "v1", "services"),
        Kind("ServiceAccount", "v1", "serviceaccounts"),
        Kind("PersistentVolumeClaim", "v1", "persistentvolumeclaims"),
        Kind("StatefulSet", "apps/v1", "statefulsets"),
        Kind("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
        Kind("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
        Kind("Lease", "coordination.k8s.io/v1", "leases"),
        Kind("Pod", "v1", "pods"),
    )
}


class ApiError(Exception):
    """The API server refused, or did not answer: then `status` is 0."""

    def __init__(self, status: int, reason: str, message: str, causes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        """As in metav1.Status: `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`."""
        self.message = message
        self.causes = causes

    @property
    def passes(self) -> bool:
        """The object changed, is gone or goes: what comes next tells, and this is no error."""
        terminating = self.status == HTTPStatus.FORBIDDEN and "NamespaceTerminating" in self.causes
        return self.status in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT) or terminating

    @property
    def refuses(self) -> bool:
        """What was asked for cannot be, however often it is asked."""
        return self.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY)


class Api:
    """A connection to the API server; objects are JSON as it has them."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=_ssl(configuration)),
            trace_configs=[trace()],
        )

    async def close(self) -> None:
        await self._session.close()

    async def find(self, path: str) -> Manifest | None:
        """None where nothing is there. Raises ApiError."""
        try:
            return await self.request("GET", path)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = JSON,
        fence: Fence = open_fence,
        timeout: aiohttp.ClientTimeout = TIMEOUT,  # noqa: ASYNC109
    ) -> Manifest:
        """The answer's body. Raises ApiError, and what `fence` raises."""
        headers = {"Accept": JSON, "Content-Type": content_type} | await self._authorization()
        try:
            async with self._session.request(
                method,
                self._configuration.host + path,
                params=query,
                data=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=timeout,
                trace_request_ctx=fence,
            ) as response:
                return _answer(response.status, await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(
                0, "Unreachable", f"The API server does not answer: {error or type(error).__name__}"
            ) from error

    async def _authorization(self) -> dict[str, str]:
        """Read anew each time: tokens of a ServiceAccount are replaced hourly."""
        settings = await self._configuration.auth_settings()
        return {setting["key"]: setting["value"] for setting in settings.values()}


async def connect() -> Api:
    """As the pod's ServiceAccount, else as the kubeconfig says."""
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        await config.load_kube_config(client_configuration=configuration)
    return Api(configuration)


def _ssl(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _answer(status: int, body: bytes) -> Manifest:
    answer: Any = None
    with contextlib.suppress(ValueError):
        answer = json.loads(body)
    if status < HTTPStatus.BAD_REQUEST and isinstance(answer, dict):
        return answer
    told = answer if isinstance(answer, dict) else {"message": body.decode(errors="replace")[:1000]}
    details: Any = told.get("details") or {}
    causes = details.get("causes") or ()
    reasons = tuple(cause.get("reason", "") for cause in causes)
    raise ApiError(status, str(told.get("reason") or ""), str(told.get("message") or f"HTTP {status}"), reasons)


class Cluster:
    """Objects, by kind, namespace and name. Nothing is written unless `fence` lets it.

    Every verb raises ApiError; those that write, what `fence` raises too.
    """

    def __init__(self, api: Api, fence: Fence) -> None:
        self._api = api
        self._fence = fence

    async def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        return await self._api.find(KINDS[kind].path(namespace, name))

    async def list(self, kind: str, namespace: str = "", selector: str = "", limit: int = 0) -> list[Manifest]:
        """Whole objects, without their kind and version, which the API server leaves out in a list.

        `limit`: how many, at most; 0 is all.
        """
        query = ({"labelSelector": selector} if selector else {}) | ({"limit": str(limit)} if limit else {})
        found = await self._api.request("GET", KINDS[kind].path(namespace), query=query, timeout=LIST_TIMEOUT)
        return list(found["items"])

    async def apply(self, manifest: Manifest, uid: str = "", *, dry_run: bool = False) -> Manifest:
        """Server-side apply: onto the object with that uid and no other, or without uid onto nobody's fields.

        `dry_run`: tell what would be, and do nothing.
        """
        query = {"fieldManager": names.MANAGER, "force": "true" if uid else "false"}
        query |= {"dryRun": "All"} if dry_run else {}
        body = manifest | {"metadata": manifest["metadata"] | ({"uid": uid} if uid else {})}
        return await self._write("PATCH", manifest, query=query, body=body, content_type=APPLY)

    async def create(self, manifest: Manifest) -> Manifest:
        kind, namespace = KINDS[manifest["kind"]], manifest["metadata"]["namespace"]
        query = {"fieldManager": names.MANAGER}
        return await self._api.request("POST", kind.path(namespace), query=query, body=manifest, fence=self._fence)

    async def merge(self, manifest: Manifest, change: Manifest, subresource: str = "") -> Manifest:
        """Merge a change into the very object that `manifest` is, by its uid."""
        body = {"metadata": {"uid": manifest["metadata"]["uid"]}} | change
        query = {"fieldManager": names.MANAGER}
        return await self._write("PATCH", manifest, subresource, query=query, body=body, content_type=MERGE)

    async def delete(self, manifest: Manifest) -> None:
        """The very object that `manifest` is, by its uid."""
        await self._write("DELETE", manifest, body={"preconditions": {"uid": manifest["metadata"]["uid"]}})

    async def _write(self, method: str, manifest: Manifest, subresource: str = "", **how: Any) -> Manifest:
        metadata = manifest["metadata"]
        path = KINDS[manifest["kind"]].path(metadata["namespace"], metadata["name"], subresource)
        return await self._api.request(method, path, fence=self._fence, **how)
