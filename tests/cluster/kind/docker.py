"""The Docker that runs the nodes: the machine's, else one of our own that is started and stopped with the cluster."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cluster.kind.cache import HOME
from tools.shell import Failed, run, say, succeeds

STATE = HOME / "docker"
SOCKET = STATE / "docker.sock"
PROCESS = STATE / "docker.pid"
OWN = {"DOCKER_HOST": f"unix://{SOCKET}"}
WRAPPER = Path(__file__).parent / "without_sys_resource.py"
SYS_RESOURCE = 24
"""The number of CAP_SYS_RESOURCE."""
STARTS_WITHIN = 30.0
"""Seconds."""
INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
INSTANCES_LEAST = 1024
"""All nodes share it; with less, kube-proxy ends with `too many open files`."""
BRIDGE = "quintet-kind"
NODES = "198.18.202.0/24"
ALL = "198.18.0.0/15"
"""Nodes, pods and Services: addresses for benchmarks (RFC 2544), which lead nowhere outside."""
RULES = (
    ("nat", "POSTROUTING", "-s", NODES, "!", "-o", BRIDGE, "-j", "MASQUERADE"),
    # A Service's address that has no rule yet must not leave the machine: somebody else could answer.
    ("filter", "FORWARD", "-i", BRIDGE, "-d", ALL, "!", "-o", BRIDGE, "-j", "REJECT"),
    # Between nodes, whatever the machine's other rules forbid.
    ("filter", "FORWARD", "-i", BRIDGE, "-o", BRIDGE, "-j", "ACCEPT"),
)


def environment() -> dict[str, str]:
    """How to reach a Docker that runs and can run nodes. Raises Failed where none does."""
    if succeeds("docker", "info") and _may_all():
        return {}
    if SOCKET.exists() and succeeds("docker", "info", environment=os.environ | OWN):
        return OWN
    raise Failed("no Docker runs here")


def start() -> dict[str, str]:
    """As `environment`, with one of our own where there is none. Raises Failed."""
    try:
        return environment()
    except Failed:
        _start_own()
        return OWN


def _may_all() -> bool:
    """kind's nodes are privileged containers. Without CAP_SYS_RESOURCE Docker's own runtime cannot make one."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd:"))
    return bool(int(line.split()[1], 16) >> SYS_RESOURCE & 1)


def _start_own() -> None:
    program = shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None or os.geteuid() != 0:
        raise Failed("a cluster needs a Docker that runs, or root and the program dockerd to start one")
    say("cluster", "starting a Docker of its own")
    STATE.mkdir(parents=True, exist_ok=True)
    if int(INSTANCES.read_text()) < INSTANCES_LEAST:
        INSTANCES.write_text(str(INSTANCES_LEAST))
    runtime = STATE / "runtime"
    runtime.write_text(_runtime())
    runtime.chmod(0o755)
    with (STATE / "docker.log").open("ab") as log:
        # By setsid, so that it is nobody's child and outlives this process.
        subprocess.run(
            [
                "setsid",
                "--fork",
                program,
                f"--data-root={STATE / 'data'}",
                f"--exec-root={STATE / 'exec'}",
                f"--host={OWN['DOCKER_HOST']}",
                f"--pidfile={PROCESS}",
                # Beside another Docker: it has no bridge of its own, and changes no rule.
                "--bridge=none",
                "--iptables=false",
                "--ip6tables=false",
                f"--add-runtime=quintet={runtime}",
                "--default-runtime=quintet",
            ],
            env=os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
        )
    deadline = time.monotonic() + STARTS_WITHIN
    while not succeeds("docker", "info", environment=os.environ | OWN):
        if time.monotonic() > deadline:
            raise Failed(f"dockerd does not start: see {STATE / 'docker.log'}")
        time.sleep(0.2)
    _make_network()


def _runtime() -> str:
    """A copy, under the machine's own Python: the checkout may go, with its environment, while Docker runs."""
    return f"#!{Path(sys.executable).resolve()}\n{WRAPPER.read_text()}"


def _make_network() -> None:
    """kind's network, which it would else make at an address that may be in use."""
    own = os.environ | OWN
    if not succeeds("docker", "network", "inspect", "kind", environment=own):
        name = f"--opt=com.docker.network.bridge.name={BRIDGE}"
        run("docker", "network", "create", "--driver=bridge", f"--subnet={NODES}", name, "kind", environment=own)
    for table, chain, *rule in RULES:
        if not _iptables(table, "-C", chain, *rule):
            _iptables(table, "-I", chain, *rule)


def _iptables(table: str, verb: str, chain: str, *rule: str) -> bool:
    program = shutil.which("iptables", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") or "iptables"
    return succeeds(program, "-w", "-t", table, verb, chain, *rule)


def stop() -> None:
    """The one of our own, if it runs. Its images stay."""
    # Where none answers, the number in its file may be another process's by now.
    if not PROCESS.exists() or not succeeds("docker", "info", environment=os.environ | OWN):
        return
    succeeds("docker", "network", "rm", "kind", environment=os.environ | OWN)
    for table, chain, *rule in RULES:
        _iptables(table, "-D", chain, *rule)
    number = int(PROCESS.read_text())
    try:
        os.kill(number, signal.SIGTERM)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + STARTS_WITHIN
    while PROCESS.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
