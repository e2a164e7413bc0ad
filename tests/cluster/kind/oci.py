"""Images of one layer, several in an archive, as containerd imports them (OCI image layout)."""

import gzip
import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEDIA = "application/vnd.oci.image"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PLATFORM = {"os": "linux", "architecture": ARCHITECTURES.get(platform.machine(), platform.machine())}
SEARCH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """A folder with its file system, the program that it starts, and all names that it has."""

    root: Path
    entrypoint: str
    names: Sequence[str]


def write(archive: Path, images: Sequence[Image]) -> None:
    with tarfile.open(archive, "w") as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        manifests = [named for image in images for named in _write(tar, image)]
        _add(tar, "index.json", _json({"schemaVersion": 2, "manifests": manifests}))


def _write(tar: tarfile.TarFile, image: Image) -> list[dict[str, Any]]:
    layer = _layer(image.root)
    config = PLATFORM | {
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        "config": {"Env": [SEARCH], "Entrypoint": [image.entrypoint]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{MEDIA}.manifest.v1+json",
        "config": _blob(tar, _json(config), f"{MEDIA}.config.v1+json"),
        "layers": [_blob(tar, gzip.compress(layer, 1, mtime=0), f"{MEDIA}.layer.v1.tar+gzip")],
    }
    told = _blob(tar, _json(manifest), f"{MEDIA}.manifest.v1+json")
    return [told | {"annotations": {"io.containerd.image.name": name}} for name in image.names]


def _layer(root: Path) -> bytes:
    """Everything in it belongs to root."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        tar.add(root, ".", filter=_roots)
    return content.getvalue()


def _roots(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _blob(tar: tarfile.TarFile, content: bytes, media: str) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    _add(tar, f"blobs/sha256/{digest}", content)
    return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(content), "platform": PLATFORM}


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    tar.addfile(member, io.BytesIO(content))


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
