"""The container runtime of one node: a containerd of its own, with its own folders, socket, pod network and registry mirrors."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import psutil

from slipway.sandbox.go_programs import Binaries
from slipway.sandbox.kubernetes import supervise
from slipway.sandbox.kubernetes.images import image_names, import_image, write_scratch_image
from slipway.sandbox.kubernetes.layout import NodeLayout
from slipway.sandbox.ports import HOST_ADDRESS, REGISTRY_PORT
from slipway.sandbox.processes import ProcessSpec, ProcessTable
from slipway.sandbox.registry_access import RegistryAccess

CNI_PROGRAMS = Path("/usr/lib/cni")
"""Where Debian's containernetworking-plugins puts them."""
MIRROR = f"http://{HOST_ADDRESS}:{REGISTRY_PORT}"
MIRRORED = ("docker.io", f"127.0.0.1:{REGISTRY_PORT}", f"localhost:{REGISTRY_PORT}", f"{HOST_ADDRESS}:{REGISTRY_PORT}")
"""Registries asked for at the sandbox's own first. Of docker.io, what it does not have is then looked for at the true place."""
IMAGES = {
    "pause": "slipway.local/pause:1",
    "coredns": "slipway.local/coredns:1",
    "metrics-server": "slipway.local/metrics-server:1",
}
UNPRIVILEGED_USER = "65532:65532"

_CONFIGURATION = """\
version = 2
root = "{root}"
state = "{state}"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]

[grpc]
  address = "{socket}"
[debug]
  level = "warn"
[plugins."io.containerd.internal.v1.opt"]
  path = "{root}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Without CAP_SYS_RESOURCE no process may lower its score, and every pod would fail.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  max_concurrent_downloads = 6
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{cni_programs}"
  conf_dir = "{cni_configuration}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  Root = "{state}/runc"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{mirrors}"
[plugins."io.containerd.grpc.v1.cri".registry.configs."{registry}".auth]
  username = "{username}"
  password = "{password}"
"""


class Containerd:
    """Starts and stops one node's containerd."""

    def __init__(self, node: NodeLayout, binaries: Binaries, access: RegistryAccess, processes: ProcessTable) -> None:
        self._node = node
        self._access = access
        self._binaries = binaries
        self._processes = processes
        self._folder = node.folder / "containerd"

    def start(self) -> None:
        """Run it, and give it the images that come from no registry."""
        self._node.runtime_folder.mkdir(parents=True, exist_ok=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write_pod_network()
        self._write_mirrors()
        socket = self._node.containerd_socket
        spec = ProcessSpec(
            name=self._node.process("containerd"),
            argv=["containerd", "--config", str(self._write_configuration())],
            network_namespace=self._node.key,
            ready=lambda: _answers(socket),
            ready_timeout_seconds=60,
        )
        supervise.ensure(self._processes, spec)
        self._import_images()

    def stop(self) -> None:
        """End it and what it left behind: its shims outlive it on purpose."""
        self._processes.stop(self._node.process("containerd"), timeout_seconds=5)
        supervise.kill(self._shims())

    def _shims(self) -> list[psutil.Process]:
        socket = str(self._node.containerd_socket)
        found = psutil.process_iter(["cmdline"])
        return [shim for shim in found if _is_shim(shim.info["cmdline"] or [], socket)]

    def _write_configuration(self) -> Path:
        path = self._folder / "config.toml"
        path.touch(mode=0o600)
        path.chmod(0o600)  # it holds the registry's password, where the kubelet's credential provider would give ECR's
        path.write_text(
            _CONFIGURATION.format(
                root=self._folder / "root",
                state=self._node.runtime_folder / "containerd",
                socket=self._node.containerd_socket,
                pause=IMAGES["pause"],
                cni_programs=CNI_PROGRAMS,
                cni_configuration=self._folder / "cni",
                mirrors=self._folder / "mirrors",
                registry=MIRROR.removeprefix("http://"),
                **self._access.pull_credentials(),
            )
        )
        return path

    def _write_pod_network(self) -> None:
        # A routed link per pod rather than a bridge: answers of a Service's pod to its neighbour then pass the node's
        # address translation even where the kernel keeps bridges out of iptables.
        network = {
            "cniVersion": "0.4.0",
            "name": self._node.cni_network,
            "plugins": [
                {
                    "type": "ptp",
                    "ipMasq": False,
                    "ipam": {
                        "type": "host-local",
                        "ranges": [[{"subnet": str(self._node.pod_range)}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                        # Emptied with everything else at a reboot, when no pod holds its address any more.
                        "dataDir": str(self._node.runtime_folder / "addresses"),
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }
        path = self._folder / "cni" / "10-pods.conflist"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(network, indent=1))

    def _write_mirrors(self) -> None:
        for registry in MIRRORED:
            path = self._folder / "mirrors" / registry / "hosts.toml"
            path.parent.mkdir(parents=True, exist_ok=True)
            # Naming the server keeps containerd from asking an address of the sandbox over TLS.
            server = "" if registry == "docker.io" else f'server = "{MIRROR}"\n'
            path.write_text(f'{server}[host."{MIRROR}"]\n  capabilities = ["pull", "resolve"]\n')

    def _import_images(self) -> None:
        present = image_names(self._node.containerd_socket)
        for program, image in IMAGES.items():
            marker = self._folder / f"{program}.imported"
            binary = self._binaries.path(program)
            if image in present and marker.is_file() and marker.read_text() == str(binary):
                continue
            import_image(self._node.containerd_socket, _archive(binary))
            marker.write_text(str(binary))


def prepare_images(binaries: Binaries) -> None:
    """Write the archives of all images that come from no registry, beside their binaries."""
    for program, image in IMAGES.items():
        binary = binaries.path(program)
        if not _archive(binary).is_file():
            files = {f"/{program}": binary}
            write_scratch_image(_archive(binary), image, files, entrypoint=[f"/{program}"], user=UNPRIVILEGED_USER)


def _archive(binary: Path) -> Path:
    return binary.parent / "image.tar"


def _is_shim(argv: list[str], socket: str) -> bool:
    return bool(argv) and "containerd-shim" in argv[0] and socket in argv


def _answers(socket: Path) -> bool:
    done = subprocess.run(
        ["ctr", "--address", str(socket), "--connect-timeout", "2s", "version"],
        capture_output=True,
        timeout=10,
        check=False,
    )
    return done.returncode == 0
