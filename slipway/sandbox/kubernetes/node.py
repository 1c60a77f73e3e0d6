"""One node: network namespace, container runtime, kubelet and kube-proxy.

The pod network carries everything to everyone: NetworkPolicy objects are stored and not enforced.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from slipway.sandbox.go_programs import Binaries
from slipway.sandbox.kubernetes import network, supervise
from slipway.sandbox.kubernetes.api import ApiServer
from slipway.sandbox.kubernetes.cgroups import ensure_cgroup, kill_members, remove_cgroup
from slipway.sandbox.kubernetes.containerd import Containerd
from slipway.sandbox.kubernetes.layout import CLUSTER_DOMAIN, RUNTIME_FOLDER, NodeLayout
from slipway.sandbox.kubernetes.pki import ensure_node_pki
from slipway.sandbox.kubernetes.state import NodeRecord
from slipway.sandbox.mounts import unmount_below
from slipway.sandbox.ports import (
    KUBELET_HEALTH_PORT,
    KUBELET_PORT,
    LOOPBACK,
    PROXY_HEALTH_PORT,
    PROXY_METRICS_PORT,
)
from slipway.sandbox.processes import ProcessSpec, ProcessTable
from slipway.sandbox.registry_access import RegistryAccess
from slipway.sandbox.resolvers import machine_nameservers

READY_TIMEOUT_SECONDS = 120
CONTAINER_LOG_LINKS = Path("/var/log/containers")
"""Where every kubelet links its containers' logs, whatever its configuration."""
CNI_RESULTS = Path("/var/lib/cni/results")


class Node:
    """Starts, stops and removes one node."""

    def __init__(
        self,
        node: NodeLayout,
        record: NodeRecord,
        binaries: Binaries,
        access: RegistryAccess,
        processes: ProcessTable,
    ) -> None:
        self._node = node
        self._record = record
        self._binaries = binaries
        self._processes = processes
        self._containerd = Containerd(node, binaries, access, processes)

    @property
    def layout(self) -> NodeLayout:
        """Its addresses, names and folders."""
        return self._node

    def start_runtime(self) -> None:
        """Network and containerd: all that needs no API server."""
        self._node.folder.mkdir(parents=True, exist_ok=True)
        network.ensure_node(self._node)
        ensure_cgroup(self._node.cgroup)
        self._containerd.start()

    def start(self) -> None:
        """Everything; does not wait for the node to be Ready."""
        self.start_runtime()
        pki = ensure_node_pki(self._node)
        self._node.kubelet_folder.mkdir(exist_ok=True)
        self._link_kubelet_folder()
        for program, argv in (("kubelet", self._kubelet_argv(pki)), ("kube-proxy", self._kube_proxy_argv(pki))):
            spec = ProcessSpec(name=self._node.process(program), argv=argv, network_namespace=self._node.key)
            supervise.ensure(self._processes, spec)

    def _link_kubelet_folder(self) -> None:
        """The link of a kubelet that runs stays; another sandbox that was killed may have left one to its own folder."""
        link, folder = self._node.kubelet_link, self._node.kubelet_folder
        if link.is_symlink() and link.readlink() == folder:
            return
        link.unlink(missing_ok=True)
        link.symlink_to(folder)

    def wait_ready(self) -> None:
        """Wait until the node can run pods; raises OperationError with the kubelet's reason."""
        ApiServer(self._node.cluster.admin_kubeconfig).wait_node_ready(self._node.name, READY_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """End all processes, containers included, and take the network and the mounts away. Images and the node's identity stay."""
        for program in ("kubelet", "kube-proxy"):
            self._processes.stop(self._node.process(program), timeout_seconds=5)
        # The runtime first: otherwise it would restart or reap what is killed under its hands.
        self._containerd.stop()
        kill_members(self._node.cgroup)
        unmount_below(self._node.runtime_folder)
        unmount_below(self._node.folder)
        remove_cgroup(self._node.cgroup)
        network.remove_node(self._node)
        shutil.rmtree(self._node.runtime_folder, ignore_errors=True)
        if RUNTIME_FOLDER.is_dir() and not any(RUNTIME_FOLDER.iterdir()):
            RUNTIME_FOLDER.rmdir()
        for link in CONTAINER_LOG_LINKS.glob("*.log"):
            if link.is_symlink() and link.readlink().is_relative_to(self._node.folder):
                link.unlink(missing_ok=True)
        for result in CNI_RESULTS.glob(f"{self._node.cni_network}-*"):
            result.unlink(missing_ok=True)

    def remove(self) -> None:
        """Stop, and delete its folder."""
        self.stop()
        shutil.rmtree(self._node.folder, ignore_errors=True)

    def _kubelet_argv(self, pki: Path) -> list[str]:
        node = self._node
        argv = [
            str(self._binaries.path("kubelet")),
            f"--config={self._write('kubelet.json', self._kubelet_configuration(pki))}",
            f"--kubeconfig={pki / 'kubelet.kubeconfig'}",
            f"--hostname-override={node.name}",
            f"--node-ip={node.address}",
            f"--root-dir={node.kubelet_link}",
            f"--cert-dir={pki}",
            f"--node-labels={','.join(f'{key}={value}' for key, value in self._record.all_labels.items())}",
        ]
        if self._record.taints:
            taints = (f"{taint.key}={taint.value}:{taint.effect}" for taint in self._record.taints)
            argv.append(f"--register-with-taints={','.join(taints)}")
        return argv

    def _kubelet_configuration(self, pki: Path) -> dict[str, Any]:
        node = self._node
        instance = hashlib.sha256(node.name.encode()).hexdigest()[:17]
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": node.address,
            "port": KUBELET_PORT,
            "healthzPort": KUBELET_HEALTH_PORT,
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(node.cluster.pki / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(pki / "kubelet.crt"),
            "tlsPrivateKeyFile": str(pki / "kubelet.key"),
            "rotateCertificates": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": node.cgroup,
            # From Kubernetes 1.35 on a kubelet refuses version 1 of control groups unless told otherwise.
            "failCgroupV1": False,
            "containerRuntimeEndpoint": f"unix://{node.containerd_socket}",
            "clusterDNS": [node.cluster.dns_address],
            "clusterDomain": CLUSTER_DOMAIN,
            "resolvConf": str(self._write_resolver()),
            "providerID": f"aws:///{self._record.zone}/i-{instance}",
            "failSwapOn": False,
            # Lowering a score takes CAP_SYS_RESOURCE, which containers and some virtual machines lack.
            "oomScoreAdj": 0,
            # Each kubelet sweeps the logs of pods it does not know out of its folder: two must not share one.
            "podLogsDir": str(node.folder / "pod-logs"),
            "volumePluginDir": str(node.folder / "volume-plugins"),
            "serializeImagePulls": False,
            "registryPullQPS": 0,
            "eventRecordQPS": 20,
            "nodeStatusUpdateFrequency": "10s",
            "shutdownGracePeriod": "0s",
            # The disk is the developer's own and mostly full of other things: nothing here may be evicted or deleted for that.
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "0%",
                "nodefs.inodesFree": "0%",
                "imagefs.available": "0%",
                "imagefs.inodesFree": "0%",
            },
            "logging": {"verbosity": 1},
        }

    def _kube_proxy_argv(self, pki: Path) -> list[str]:
        configuration = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clientConnection": {"kubeconfig": str(pki / "kube-proxy.kubeconfig")},
            "metricsBindAddress": f"{LOOPBACK}:{PROXY_METRICS_PORT}",
            "healthzBindAddress": f"{LOOPBACK}:{PROXY_HEALTH_PORT}",
            "clusterCIDR": str(self._node.cluster.pod_network),
            "hostnameOverride": self._node.name,
            "oomScoreAdj": 0,
            # Zero leaves the kernel's values: a network namespace may not change them.
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
            # A pod that leaves must leave the rules at once, and a new one must be in them: upstream waits up to a second.
            "iptables": {"minSyncPeriod": "100ms", "syncPeriod": "30s"},
        }
        return [str(self._binaries.path("kube-proxy")), f"--config={self._write('kube-proxy.json', configuration)}"]

    def _write(self, name: str, document: dict[str, Any]) -> Path:
        path, text = self._node.folder / name, json.dumps(document, indent=1)
        # kube-proxy ends itself when its file is written, changed or not.
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        return path

    def _write_resolver(self) -> Path:
        path = self._node.folder / "resolv.conf"
        text = "".join(f"nameserver {server}\n" for server in machine_nameservers())
        if not path.exists() or path.read_text() != text:  # kubelet reads it for each pod
            path.write_text(text)
        return path
