"""The image of kind's nodes: the public one, or where no registry can be reached one of Debian packages and Go modules.

Ours is a Debian with systemd and containerd, kind's own files from its module, every Kubernetes program in one binary,
and the images that kubeadm starts, which are that binary again under their names.
"""

import shutil
from pathlib import Path

import yaml

from tests.cluster.kind import components, go
from tests.cluster.kind.cache import KIND
from tools.cache import beside, contents, digest
from tools.image import debian
from tools.image.builder import Docker
from tools.shell import run, say, succeeds

PUBLIC = "kindest/node:v1.34.0"
PULL_WITHIN = 600.0
"""Seconds. Where there is no way to a registry, that is mostly known at once."""
NAME = "quintet-node"
HERE = Path(__file__).parent
SOURCES = ("components.py", "go.py", "node_image.py", "oci.py")
"""What decides, besides the Go modules and manifests, what is in the image."""
ROOT = debian.Recipe(
    "quintet-node-root",
    (
        *("systemd", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "util-linux", "mount", "kmod"),
        *("libseccomp2", "pigz", "e2fsprogs", "socat", "ca-certificates", "curl", "jq", "procps", "containerd"),
        *("runc", "containernetworking-plugins", "busybox-static"),
    ),
)
"""bookworm's systemd 252 still runs on cgroup v1, as later ones do not."""
CHANGES = (
    "ENV container=docker",
    'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
)
PROGRAMS = ("kubelet", "kubeadm", "kubectl", "crictl")
UNITS = ("kubelet", "containerd", "undo-mount-hacks")
UNWANTED = ("local-fs", "basic", "multi-user")
"""Targets of systemd whose services have nothing to do in a container."""


def ensure() -> str:
    """The name of a node image that Docker has. Raises Failed."""
    docker = Docker("docker")
    own = f"{NAME}:{_made_of()}"
    if docker.has(own):
        return own
    if docker.has(PUBLIC) or not docker.pull(PUBLIC, PULL_WITHIN):
        return PUBLIC
    say(
        "cluster",
        f"{PUBLIC} cannot be pulled: making a node image of Debian packages and Go modules (once; some minutes)",
    )
    _make(docker, own)
    _forget_all_but(own)
    return own


def _made_of() -> str:
    sources = ((HERE / name).read_bytes() for name in SOURCES)
    return digest([*contents(HERE / "go"), *contents(HERE / "manifests"), *sources, ROOT.tag])


def _forget_all_but(own: str) -> None:
    """Each takes 0.8 GB. Docker keeps one that a node still runs on."""
    listed = run("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", NAME)
    for other in set(listed.split()) - {own}:
        succeeds("docker", "image", "rm", other)


def _make(docker: Docker, tag: str) -> None:
    programs = components.programs()
    with beside(KIND / "node") as work:
        node = Path(work, "node")
        node.mkdir()
        run("tar", "--extract", "--numeric-owner", "--file", str(debian.root_archive(ROOT)), "--directory", str(node))
        say("cluster", "putting the images of Kubernetes into it")
        components.unpack_into(node, programs, Path(work))
        _install(node, programs["node"])
        archive = Path(work, "node.tar")
        run("tar", "--directory", str(node), "--numeric-owner", "--create", "--file", str(archive), ".")
        say("cluster", "giving it to Docker")
        docker.import_root(archive, tag, CHANGES)


def _install(node: Path, program: Path) -> None:
    """What kind expects of a node."""
    module = go.source(components.KIND_MODULE)
    files = module / "images/base/files"
    shutil.copytree(files, node, dirs_exist_ok=True, copy_function=_copy)
    for script in (*(node / "kind/bin").iterdir(), node / "usr/local/bin/entrypoint"):
        script.chmod(0o755)
    shutil.copy2(program, node / "usr/local/bin/kubernetes")
    for name in PROGRAMS:
        (node / "usr/bin" / name).symlink_to("/usr/local/bin/kubernetes")
    (node / "usr/local/bin/containerd").symlink_to("/usr/bin/containerd")
    (node / "opt/cni").mkdir(parents=True)
    (node / "opt/cni/bin").symlink_to("/usr/lib/cni")
    for folder in ("etc/cni/net.d", "etc/kubernetes/manifests", "kind/manifests"):
        (node / folder).mkdir(parents=True, exist_ok=True)
    (node / "kind/version").write_text(components.KUBERNETES)
    _configure_containerd(node)
    _write_manifests(node / "kind/manifests", module)
    _choose_units(node)


def _copy(source: str, target: str) -> None:
    """Files of a module are read-only, and their folders with them."""
    shutil.copyfile(source, target)


def _configure_containerd(node: Path) -> None:
    config = node / "etc/containerd/config.toml"
    text = config.read_text()
    for old, new in (
        ('sandbox_image = "registry.k8s.io/pause:3.10"', f'sandbox_image = "{components.PAUSE}"'),
        # Without CAP_SYS_RESOURCE no process may be made less likely to be killed.
        ("restrict_oom_score_adj = false", "restrict_oom_score_adj = true"),
    ):
        assert old in text, f"kind's containerd has no {old}"
        text = text.replace(old, new)
    config.write_text(text)
    base = run("chroot", str(node), "ctr", "oci", "spec")
    hook = '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)'
    spec = run("chroot", str(node), "jq", hook, text=base)
    (node / "etc/containerd/cri-base.json").write_text(spec)


def _write_manifests(folder: Path, module: Path) -> None:
    """kind's StorageClass with its provisioner, and a network of ours in place of its own."""
    network = (HERE / "manifests/network.yaml").read_text()
    (folder / "default-cni.yaml").write_text(network.replace("IMAGE", components.COMPONENTS))
    source = (module / "pkg/build/nodeimage/const_storage.go").read_text()
    _, _, manifest = source.partition("const defaultStorageManifest = `")
    # Go puts the names of the images in between.
    manifest = "".join(
        part if place % 2 == 0 else components.COMPONENTS for place, part in enumerate(manifest.split("`")[:-1])
    )
    assert len(list(yaml.safe_load_all(manifest))) > 5, "kind's storage has another form"
    (folder / "default-storage.yaml").write_text(manifest)


def _choose_units(node: Path) -> None:
    system = node / "lib/systemd/system"
    wanted = [f"{target}.target.wants/*" for target in UNWANTED]
    for path in (
        *system.glob("sysinit.target.wants/systemd-tmpfiles-setup.service"),
        *system.glob("sockets.target.wants/*udev*"),
        *system.glob("sockets.target.wants/*initctl*"),
        *(found for pattern in wanted for found in system.glob(pattern)),
        *(node / "etc/systemd/system").glob("*.wants/*"),
    ):
        path.unlink()
    with (node / "etc/systemd/journald.conf").open("a") as journal:
        journal.write("ReadKMsg=no\n")
    (node / "sbin/init").unlink(missing_ok=True)
    (node / "sbin/init").symlink_to("/usr/lib/systemd/systemd")
    for unit in UNITS:
        run("chroot", str(node), "systemctl", "enable", f"{unit}.service")
    run("chroot", str(node), "systemctl", "mask", "systemd-binfmt.service")
