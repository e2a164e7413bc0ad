"""What runs on a node: programs of Go modules, and the images that kubeadm starts, which hold them."""

import shutil
import subprocess
from pathlib import Path

from tests.cluster.kind import go, oci
from tests.cluster.kind.cache import KIND
from tools.shell import run

MODULES = Path(__file__).parent / "go"
KUBERNETES = "v1.34.4"
KIND_MODULE = "sigs.k8s.io/kind@v0.33.0"
STORAGE = "github.com/rancher/local-path-provisioner@v0.0.30"

# As `kubeadm config images list` names them.
REGISTRY = "registry.k8s.io"
PAUSE = f"{REGISTRY}/pause:3.10.1"
COMPONENTS = "localhost/components:1"
NAMES = (
    *(f"{REGISTRY}/kube-{part}:{KUBERNETES}" for part in ("apiserver", "controller-manager", "scheduler", "proxy")),
    f"{REGISTRY}/etcd:3.6.5-0",
    f"{REGISTRY}/coredns/coredns:v1.12.1",
    COMPONENTS,
)
"""One image: kubeadm says which program it starts, but for CoreDNS, whose entry point it takes."""
VERSION_FLAGS = " ".join(
    f"-X k8s.io/component-base/version.{name}={value}"
    for name, value in {
        "gitVersion": KUBERNETES,
        "gitMajor": "1",
        "gitMinor": KUBERNETES.split(".")[1],
        "gitTreeState": "clean",
    }.items()
)
LINKS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "pod-network")
SHELL = ("sh", "mkdir", "rm", "chmod", "ls", "cat")
"""For the provisioner of volumes, which makes and removes folders."""
FIREWALL = ("usr/sbin/xtables-nft-multi", "usr/sbin/conntrack")
UNPACK = """
mount -t proc proc /proc
containerd --config /dev/null --log-level error &
while ! ctr version >/dev/null 2>&1; do kill -0 $! || exit 1; sleep 0.1; done
ctr --namespace k8s.io images import --snapshotter overlayfs /images.tar
for name in $(ctr --namespace k8s.io images list --quiet); do
  ctr --namespace k8s.io images label "$name" io.cri-containerd.pinned=pinned
done
kill $!
wait $! || true
"""


def kubernetes() -> Path:
    """All Kubernetes programs in one file, which its name tells apart. Raises Failed."""
    return go.build(MODULES / "node", KIND, linked=VERSION_FLAGS)


def programs() -> dict[str, Path]:
    """By name. Raises Failed."""
    made = {name: go.build(MODULES / name, KIND) for name in ("dns", "etcd", "pause")}
    return made | {"node": kubernetes(), "local-path-provisioner": go.install(STORAGE, KIND)}


def unpack_into(node: Path, programs: dict[str, Path], work: Path) -> None:
    """Let the node's own containerd take in the images, as root, outside of Docker: there its overlay cannot be
    mounted. Raises Failed."""
    components, pause = work / "components", work / "pause"
    _fill(components, node, programs)
    pause.mkdir()
    shutil.copy2(programs["pause"], pause / "pause")
    images = [oci.Image(components, "/coredns", NAMES), oci.Image(pause, "/pause", [PAUSE])]
    oci.write(node / "images.tar", images)
    run("unshare", "--mount", "--pid", "--fork", "chroot", str(node), "sh", "-e", text=UNPACK)
    (node / "images.tar").unlink()


def _fill(root: Path, node: Path, programs: dict[str, Path]) -> None:
    for folder in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "usr/local/bin", "etc", "tmp", "run", "var", "root"):
        (root / folder).mkdir(parents=True)
    for folder in ("bin", "sbin", "lib", "lib64"):
        (root / folder).symlink_to(f"usr/{folder}")
    shutil.copy2(programs["dns"], root / "coredns")
    shutil.copy2(programs["node"], root / "usr/local/bin/kubernetes")
    for name in ("etcd", "local-path-provisioner"):
        shutil.copy2(programs[name], root / "usr/local/bin" / name)
    for name in LINKS:
        (root / "usr/local/bin" / name).symlink_to("kubernetes")
    shutil.copy2(node / "usr/bin/busybox", root / "usr/bin/busybox")
    for name in SHELL:
        (root / "usr/bin" / name).symlink_to("busybox")
    _add_firewall(root, node)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    for name in ("protocols", "services"):
        if (node / "etc" / name).exists():
            shutil.copy2(node / "etc" / name, root / "etc" / name)


def _add_firewall(root: Path, node: Path) -> None:
    """For kube-proxy and the pods' network: iptables and conntrack, with every library of theirs and of iptables'
    plugins. Where one lacks, Services stop to follow their pods, and nothing says so."""
    for program in FIREWALL:
        shutil.copy2(node / program, root / program)
    for name in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            (root / "usr/sbin" / f"{name}{suffix}").symlink_to("xtables-nft-multi")
    [plugins] = (path.relative_to(node) for path in (node / "usr/lib").glob("*/xtables"))
    shutil.copytree(node / plugins, root / plugins)
    found = [f"/{program}" for program in FIREWALL] + [f"/{plugins}/{one.name}" for one in (node / plugins).iterdir()]
    for library in _libraries(node, found):
        (root / library).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(node / library, root / library)


def _libraries(node: Path, files: list[str]) -> set[str]:
    """Paths, from the root, of what the dynamic linker loads for these."""
    told = subprocess.run(["chroot", node, "ldd", *files], capture_output=True, text=True, check=False).stdout
    words = (word for line in told.splitlines() if "(0x" in line for word in line.split())
    return {word.lstrip("/") for word in words if word.startswith("/")}
