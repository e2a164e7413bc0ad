"""`python -m tools.image [quintet] [redis] [client]`: makes images, by default those that an installation needs.

In the environment: IMAGE_BUILDER (docker, podman or buildah; else the first that works) and BASE_IMAGE (a Debian-like
system with Python 3.11 or later; else python:3.13-slim, or where that cannot be pulled one of Debian's packages).
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

from tools.image.builder import Builder, choose
from tools.image.images import Images
from tools.shell import Failed

NAMES = ("quintet", "redis", "client")


def make(builder: Builder, images: Images, name: str, archives: Path | None) -> None:
    began = time.monotonic()
    tag = str(getattr(images, name)())
    where = ""
    if archives:
        archives.mkdir(parents=True, exist_ok=True)
        archive = archives / f"{name}.tar"
        builder.save(tag, archive)
        where = f", {archive}: {archive.stat().st_size / 1e6:.0f} MB"
    print(f"image: {tag} by {builder.name} in {time.monotonic() - began:.0f} s{where}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.image", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="quintet|redis|client", default=["quintet", "redis"])
    parser.add_argument("--archives", type=Path, metavar="FOLDER", help="write each as a docker-archive into it too")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"no image {min(unknown)}; there are {', '.join(NAMES)}")
    # So that what is half made goes away then, as it does at Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        builder = choose(os.environ.get("IMAGE_BUILDER", ""))
        images = Images(builder, os.environ.get("BASE_IMAGE", ""))
        for name in arguments.names:
            make(builder, images, name, arguments.archives)
    except Failed as failed:
        print(f"image: {failed}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
