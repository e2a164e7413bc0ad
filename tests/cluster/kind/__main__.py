"""`python -m tests.cluster.kind up|down`: the cluster of the tests, on this machine."""

import sys
import time

from tests.cluster.kind import cluster
from tools.shell import Failed


def main(arguments: list[str]) -> int:
    if arguments not in (["up"], ["down"]):
        print(__doc__, file=sys.stderr)
        return 2
    began = time.monotonic()
    try:
        if arguments == ["down"]:
            cluster.down()
            print("cluster: it is gone; what it was made of is kept for the next one")
            return 0
        found = cluster.up()
    except Failed as failed:
        print(f"cluster: {failed}", file=sys.stderr)
        return 1
    print(f"cluster: kind-{cluster.NAME} is up ({time.monotonic() - began:.0f} s). To use it:\n")
    for name, value in found.items():
        print(f"  export {name}={value if name != 'PATH' else value.partition(':')[0] + ':$PATH'}")
    print("\nThen: make test PART=cluster, and in the end make cluster-down")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
