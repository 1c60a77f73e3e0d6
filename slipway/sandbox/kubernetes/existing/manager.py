"""EKS clusters that stand on existing ones: adopted, resumed, paused and let go. What was in the existing cluster stays in it.

One existing cluster stands for one EKS cluster: a service's namespace has the same name in every environment, and whoever administers
one EKS cluster would administer all others on the same.
"""

from __future__ import annotations

import os
import shutil
import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import httpx
import structlog

from slipway.errors import NotFoundError, OperationError, SlipwayError, UsageError
from slipway.sandbox.kubernetes import supervise
from slipway.sandbox.kubernetes.api import ApiServer
from slipway.sandbox.kubernetes.clusters import ClusterInfo, Clusters, read_authority
from slipway.sandbox.kubernetes.existing.access import apply_access, remove_access
from slipway.sandbox.kubernetes.existing.address import ADDRESS, endpoint_port, endpoint_url
from slipway.sandbox.kubernetes.existing.choice import choose_context
from slipway.sandbox.kubernetes.existing.examine import Facts, examine, refuse_far_nodes, refuse_silent_pods
from slipway.sandbox.kubernetes.existing.pull_check import check_pulls, push_image
from slipway.sandbox.kubernetes.existing.routes import ensure_route, is_neighbour, remove_routes
from slipway.sandbox.kubernetes.kubeconfig import isolate_context, load_contexts
from slipway.sandbox.kubernetes.layout import ClusterLayout
from slipway.sandbox.kubernetes.pki import write_shared_identity
from slipway.sandbox.kubernetes.state import AdoptedCluster, ClusterRecord, Taint
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessSpec, ProcessTable

READY_SECONDS = 30
PROBE_SECONDS = 2

log = structlog.get_logger(__name__)


class ExistingClusters(Clusters):
    """All clusters of one sandbox that uses existing ones. Safe to use from several threads and processes at once."""

    def __init__(self, paths: SandboxPaths, processes: ProcessTable, kubeconfig: Path) -> None:
        super().__init__(paths, processes)
        self._kubeconfig = kubeconfig

    def prepare(self, progress: Callable[[str], None] | None = None) -> None:
        """Nothing is built; raises UsageError when the kubeconfig cannot be read (any more)."""
        contexts, _ = load_contexts(self._kubeconfig)
        if progress:
            progress(f"EKS clusters stand on existing ones of {self._kubeconfig}: {', '.join(contexts)}")

    def kubectl(self) -> Path | None:
        """The machine's own, if it has one."""
        own = str(self._paths.programs)
        # Not the sandbox's own link: it would be made to point to itself.
        folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder != own]
        found = shutil.which("kubectl", path=os.pathsep.join(folders))
        return Path(found) if found else None

    def create(self, name: str, *, token_webhook_url: str) -> ClusterInfo:
        """Adopt the existing cluster that a context names for it, or finish adopting it. Returns when the endpoint serves.

        Raises UsageError when no context fits, or another EKS cluster stands on the same existing one.
        """
        with self._book.held(name) as found:
            if found is not None and found.deleting:
                self._remove(name, found)
            adopted = None if found is None or found.deleting else found.existing
            # One after another: two must not find the same existing cluster free.
            with self._book.lock(".adoption"):
                adopted = adopted or self._choose(name)
                record = self._book.allocate(name, token_webhook_url)
                record = self._put(name, record, adopted)
            self._start(name, record, adopted)
        return self.info(name)

    def add_node_group(
        self,
        name: str,
        group: str,
        desired: int,
        *,
        labels: Mapping[str, str] | None = None,
        taints: Sequence[Taint] = (),
        zones: Sequence[str] = ("us-east-1a",),
        instance_type: str = "t3.medium",
    ) -> list[str]:
        """Start nothing: the existing cluster's nodes stand for every group, whatever its size, zones and type. Returns their names.

        Raises UsageError when no node has the group's labels, OperationError when a node cannot pull from the sandbox's registry.
        """
        del zones, instance_type
        record, adopted = self._adopted(name)
        api, where = self._api(name, record), _where(adopted)
        facts = examine(api, where)
        wanted = dict(labels or {})
        fitting = [node for node, has in facts.labels.items() if wanted.items() <= has.items()]
        if not fitting:
            pairs = ",".join(f"{key}={value}" for key, value in wanted.items())
            raise UsageError(
                f"no node of the existing cluster has the labels of node group {group}: {pairs}",
                where=where,
                remedy=f"label one: kubectl --context {adopted.context} label node <name> {pairs.replace(',', ' ')}",
            )
        if taints:
            log.warning("nodes of an existing cluster are not tainted", cluster=name, group=group)
        with self._book.lock(name):
            record = self._route(name, self._book.get(name), adopted, facts)
        refuse_silent_pods(api, facts.nodes, where)
        push_image()
        check_pulls(api, fitting, where)
        log.info("node group ready", cluster=name, group=group, nodes=len(fitting), desired=desired)
        return fitting

    def remove_node_group(self, name: str, group: str) -> None:
        """Nothing was started for it."""

    def info(self, name: str) -> ClusterInfo:
        """The cluster's address and credentials; raises NotFoundError."""
        record, adopted = self._adopted(name)
        layout = self._layout(name, record)
        return ClusterInfo(
            name=name,
            index=record.index,
            endpoint=endpoint_url(record.index),
            ca_pem=read_authority(layout),
            admin_kubeconfig=layout.admin_kubeconfig,
            version=adopted.version,
            service_cidr=adopted.service_cidr,
        )

    def resume(self) -> None:
        """Bring back every endpoint and route after a stop, a crash or a reboot; finish what was being removed.

        Raises the first failure, after all have been tried: an existing cluster may be stopped, and its endpoint says so meanwhile.
        """
        failures: list[SlipwayError] = []
        for name in list(self._book.all()):
            try:
                with self._book.held(name) as record:
                    if record is not None and record.deleting:
                        self._remove(name, record)
                    elif record is not None and record.existing is not None:
                        self._start(name, record, record.existing)
            except SlipwayError as error:
                failures.append(error)
        if failures:
            raise failures[0]

    def pause_all(self) -> None:
        """Stop every endpoint and take the routes back; the existing clusters go on."""
        for name in self._book.all():
            with self._book.held(name) as record:
                if record is None:
                    continue
                self._processes.stop(self._layout(name, record).process("endpoint"), timeout_seconds=5)
                if record.existing is not None:
                    remove_routes(record.existing.routes)

    def _choose(self, name: str) -> AdoptedCluster:
        """The existing cluster for a new one; nothing is written anywhere."""
        contexts, current = load_contexts(self._kubeconfig)
        context = choose_context(contexts, current, name, where=str(self._kubeconfig))
        where = f"{self._kubeconfig}: context {context}"
        isolate_context(self._kubeconfig, context)
        api = ApiServer(self._kubeconfig, context)
        facts = examine(api, where)
        for other, record in self._book.all().items():
            if other != name and record.existing is not None and record.existing.uid == facts.uid:
                raise UsageError(
                    f"the existing cluster stands for {other} already, and {name} needs one of its own: a service's namespace has the"
                    " same name in both",
                    where=where,
                    remedy="make one cluster for each environment, and name their contexts after them: kind create cluster --name staging",
                )
        refuse_far_nodes(facts, where)
        return AdoptedCluster(
            kubeconfig=self._kubeconfig,
            context=context,
            uid=facts.uid,
            version=facts.version,
            service_cidr=facts.service_cidr,
        )

    def _start(self, name: str, record: ClusterRecord, adopted: AdoptedCluster) -> None:
        layout = self._layout(name, record)
        layout.folder.mkdir(parents=True, exist_ok=True)
        write_shared_identity(layout.pki, f"{name}-endpoint", [ADDRESS])
        _write_private(layout.admin_kubeconfig, isolate_context(adopted.kubeconfig, adopted.context))
        # Before the existing cluster is asked: while that is away, clients hear so instead of finding nobody.
        self._start_endpoint(layout, record)
        api, where = self._api(name, record), _where(adopted)
        facts = examine(api, where)
        if facts.uid != adopted.uid:
            raise OperationError(
                f"another cluster is behind the context now than the one that {name} was made on",
                where=where,
                remedy=f"delete the EKS cluster {name} and create it again, or `slipway sandbox reset`",
            )
        self._route(name, record, adopted, facts)
        refuse_silent_pods(api, facts.nodes, where)
        apply_access(api)
        log.info("existing cluster in use", cluster=name, context=adopted.context, nodes=len(facts.nodes))

    def _route(self, name: str, record: ClusterRecord, adopted: AdoptedCluster, facts: Facts) -> ClusterRecord:
        """Have routes to the pods of every node that is a neighbour, each remembered as soon as it is made."""
        adopted = record.existing or adopted
        known = dict.fromkeys(adopted.routes)
        for node in facts.nodes:
            if node.pod_range and is_neighbour(node.address) and (made := ensure_route(node, known)) is not None:
                stale = [route for route in known if route.destination == made.destination and route != made]
                known = {route: None for route in (*known, made) if route not in stale}
                adopted = adopted.model_copy(update={"routes": tuple(known)})
                record = self._put(name, record, adopted)
        return record

    def _remove(self, name: str, record: ClusterRecord) -> None:
        self._book.put(name, record.model_copy(update={"deleting": True}))
        layout = self._layout(name, record)
        self._processes.stop(layout.process("endpoint"), timeout_seconds=5)
        if record.existing is not None:
            if layout.admin_kubeconfig.exists():
                try:
                    remove_access(self._api(name, record))
                except (httpx.HTTPError, SlipwayError, OSError) as error:
                    # It may be gone for good, and must not keep what stood on it from going.
                    log.warning("access objects stay in the existing cluster", cluster=name, why=str(error))
            remove_routes(record.existing.routes)
        shutil.rmtree(layout.folder, ignore_errors=True)
        self._book.forget(name)
        log.info("existing cluster let go", cluster=name)

    def _start_endpoint(self, layout: ClusterLayout, record: ClusterRecord) -> None:
        port = endpoint_port(record.index)
        argv = [sys.executable, "-m", "slipway.sandbox.kubernetes.existing.serve", "--port", str(port)]
        argv += ["--pki", str(layout.pki), "--kubeconfig", str(layout.admin_kubeconfig)]
        argv += ["--token-webhook", record.token_webhook_url]
        spec = ProcessSpec(
            name=layout.process("endpoint"),
            argv=argv,
            cwd=Path("/"),
            ready=lambda: _serves(endpoint_url(record.index), layout.pki / "ca.crt"),
            ready_timeout_seconds=READY_SECONDS,
        )
        running = self._processes.find(spec.name)
        if running is not None and list(running.argv) != argv:
            self._processes.stop(spec.name)
        supervise.ensure(self._processes, spec, ports=(port,))

    def _put(self, name: str, record: ClusterRecord, adopted: AdoptedCluster) -> ClusterRecord:
        record = record.model_copy(update={"existing": adopted})
        self._book.put(name, record)
        return record

    def _adopted(self, name: str) -> tuple[ClusterRecord, AdoptedCluster]:
        record = self._book.get(name)
        if record.existing is None:
            raise NotFoundError(f"the cluster {name} was never brought up", remedy="Create it again.")
        return record, record.existing

    def _api(self, name: str, record: ClusterRecord) -> ApiServer:
        return ApiServer(self._layout(name, record).admin_kubeconfig)


def _where(adopted: AdoptedCluster) -> str:
    return f"{adopted.kubeconfig}: context {adopted.context}"


def _serves(endpoint: str, authority: Path) -> bool:
    """Whether the endpoint answers; without a token it refuses, and that will do."""
    trust = ssl.create_default_context(cafile=str(authority))
    return httpx.get(f"{endpoint}/readyz", verify=trust, timeout=PROBE_SECONDS, trust_env=False).status_code == 401


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.touch(mode=0o600)
    temporary.write_text(text)
    temporary.replace(path)
