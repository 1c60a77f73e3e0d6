"""The real things behind the API, held together by the daemon: started, kept running, reported."""

from __future__ import annotations

import threading
from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

from slipway.errors import SlipwayError
from slipway.log import get_logger
from slipway.sandbox.aws.application import AwsApplication
from slipway.sandbox.aws.ecr.models import write_manifest
from slipway.sandbox.aws.eks.models import binding_groups, resume_clusters
from slipway.sandbox.aws.eks.pod_routes import admission_application, agent_route
from slipway.sandbox.aws.lock import API_LOCK
from slipway.sandbox.aws.rds.login_server import LoginServer
from slipway.sandbox.aws.rds.models import keep_instances, resume_instances
from slipway.sandbox.aws.routes import registry_route, token_review_route
from slipway.sandbox.aws.rows import cluster_rows, database_rows, load_balancer_rows
from slipway.sandbox.aws.server import AwsServer
from slipway.sandbox.aws.switch_route import switch_route
from slipway.sandbox.aws.world import World, use_world
from slipway.sandbox.database_access import DatabaseAccess
from slipway.sandbox.docker import DockerEngine
from slipway.sandbox.hosts_file import HostsFile
from slipway.sandbox.images import ImageBuilder, ImageSource
from slipway.sandbox.images.oci import RegistryClient
from slipway.sandbox.kubernetes import ClusterManager
from slipway.sandbox.kubernetes.control_plane import ACCOUNT as API_SERVER_ACCOUNT
from slipway.sandbox.kubernetes.layout import admission_pki
from slipway.sandbox.kubernetes.load_balanced import ServiceAddresses
from slipway.sandbox.kubernetes.pki import server_context
from slipway.sandbox.machine_names import MachineNames
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import ADMISSION_PORT, LOGIN_PORT, LOOPBACK, POD_IDENTITY_ADDRESS
from slipway.sandbox.postgres import PostgresInstances
from slipway.sandbox.processes import ProcessTable
from slipway.sandbox.registry import ACCOUNT as REGISTRY_ACCOUNT
from slipway.sandbox.registry import MIRROR_ROUTE, REGISTRY_ADDRESS, Registry, store_socket
from slipway.sandbox.registry_access import RegistryAccess
from slipway.sandbox.state import MotoState
from slipway.sandbox.status import StatusRow
from slipway.sandbox.traffic import Traffic
from slipway.sandbox.traffic.metrics import Pace

KEEP_SECONDS = 3.0

log = get_logger(__name__)


class Parts:
    """Registry, engine, databases, clusters and load balancers of the daemon."""

    def __init__(self, paths: SandboxPaths, application: AwsApplication, state: MotoState, aws_port: int) -> None:
        self._processes = processes = ProcessTable(paths)
        self._registry = Registry(paths, processes)
        self._docker = DockerEngine(paths, processes)
        self._clusters = ClusterManager(paths, processes)
        self._traffic = Traffic(paths, processes)
        self._access = DatabaseAccess(self._clusters)
        self._names = MachineNames(HostsFile())
        self._admission = AwsServer(
            admission_application(API_SERVER_ACCOUNT, gates=self._traffic.readiness_gates),
            [LOOPBACK],
            ADMISSION_PORT,
            tls=server_context(admission_pki(paths)),
        )
        self._logins = LoginServer(LOGIN_PORT)
        self._stopping = threading.Event()
        self._attached: set[str] = set()
        self._addresses: dict[str, ServiceAddresses] = {}
        self.resumed = threading.Event()
        """Set when everything that ran before runs again, or failed to."""
        self.faults: dict[str, str] = {}
        """What does not run, and why."""
        client = RegistryClient(store_socket(paths))
        access = RegistryAccess(paths)
        source = ImageSource(ImageBuilder(paths.cache / "images", client), client)
        application.add_route("token-review", token_review_route, API_SERVER_ACCOUNT)
        application.add_route(MIRROR_ROUTE, registry_route(source, write_manifest, access.right_of), REGISTRY_ACCOUNT)
        application.add_route("metrics", switch_route(lambda: {"pace": self._traffic.pace}, self._switch_metrics))
        application.add_host(POD_IDENTITY_ADDRESS, agent_route)
        application.listeners += [self._traffic, self._access, self._names]
        postgres = PostgresInstances(paths, processes)
        postgres.authority.facts()  # a program reads the certificate before it makes the first database
        use_world(
            World(
                clusters=self._clusters,
                postgres=postgres,
                registry=client,
                registry_access=access,
                token_webhook_url=f"http://127.0.0.1:{aws_port}/_slipway/token-review/",
                gone_zones=application.faults.gone_zones,
                save=state.save,
                cluster_started=self._attach,
                cluster_stopping=self._detach,
            )
        )

    def start_traffic(self) -> None:
        """Before the API serves: its load balancers work from the first request on."""
        self._traffic.start()

    def start(self) -> None:
        """Bring back what ran before, in the background, and keep it running."""
        self._admission.start()
        self._logins.start()
        threading.Thread(target=self._run, name="parts", daemon=True).start()

    def stop(self) -> None:
        """Stop watching; the processes go on."""
        self._stopping.set()
        self._admission.stop()
        self._logins.stop()
        for addresses in self._addresses.values():
            addresses.stop()
        self._traffic.stop()

    def rows(self) -> list[StatusRow]:
        """One row for each part, cluster, database and load balancer."""
        rows = [
            StatusRow(name="registry", kind="registry", address=REGISTRY_ADDRESS, state=self._state_of("registry")),
            StatusRow(name="docker", kind="engine", address=self._docker.host, state=self._state_of("docker")),
        ]
        with API_LOCK:
            rows += [*cluster_rows(), *database_rows(), *load_balancer_rows()]
        if self._traffic.pace is Pace.AWS:
            detail = "one-minute periods, two minutes late"
            rows.append(StatusRow(name="load balancers", kind="metrics", address="", state="aws", detail=detail))
        return rows

    def _switch_metrics(self, document: Any) -> None:
        """`{"pace": "aws"}` or `{"pace": "live"}`; ValueError and the like for anything else."""
        self._traffic.pace = Pace(document["pace"])

    def _state_of(self, part: str) -> str:
        return "failed" if part in self.faults else "running"

    def _run(self) -> None:
        self._try("registry", self._registry.start)
        self._try("docker", self._docker.start)
        self._try("packet filter", self._access.refresh)
        self._try("names", self._names.refresh)
        self._try("databases", resume_instances)
        self._try("clusters", self._resume_clusters)
        self.resumed.set()
        while not self._stopping.wait(KEEP_SECONDS):
            self._try("registry", self._registry.start)
            self._try("docker", self._docker.start)
            self._try("databases", keep_instances)
            self._try("names", self._names.refresh)
            self._try("networks", self._clusters.close_networks)
            self._try("clusters that are gone", self._detach_gone)
            if "clusters" in self.faults or self._some_process_ended():
                self._try("clusters", self._resume_clusters)

    def _some_process_ended(self) -> bool:
        return any(record.process() is None for record in self._processes.records())

    def _resume_clusters(self) -> None:
        try:
            self._clusters.resume()
        finally:
            # One that does not come back must not leave the others' pods unwatched.
            resume_clusters()
            for name in self._clusters.names():
                self._attach(name)

    def _attach(self, name: str) -> None:
        self._try("packet filter", self._access.refresh)
        try:
            info = self._clusters.info(name)
            self._traffic.attach_cluster(name, info.admin_kubeconfig, binding_groups(name))
            if name not in self._addresses:
                addresses = ServiceAddresses(name, info.admin_kubeconfig, IPv4Network(info.balancer_cidr))
                self._addresses[name] = addresses
                addresses.start()
        except Exception as error:
            # The cluster itself is fine; without this its creation would be reported as failed.
            log.exception("bindings and addresses of Services are not watched", cluster=name)
            self.faults[f"bindings of {name}"] = str(error)
        else:
            self._attached.add(name)

    def _detach(self, name: str) -> None:
        self.faults.pop(f"bindings of {name}", None)
        if addresses := self._addresses.pop(name, None):
            addresses.stop()
        if name in self._attached:
            self._attached.discard(name)
            self._traffic.detach_cluster(name)

    def _detach_gone(self) -> None:
        """A cluster that was removed while it was being resumed is attached once more after its end."""
        for name in self._attached - set(self._clusters.names()):
            self._detach(name)

    def _try(self, part: str, action: Callable[[], object]) -> None:
        try:
            action()
        except SlipwayError as error:
            if self.faults.get(part) != str(error):
                log.error("does not run", part=part, why=str(error))
            self.faults[part] = str(error)
        except Exception as error:
            if part not in self.faults:
                log.exception("does not run", part=part)
            self.faults[part] = f"{type(error).__name__}: {error}"
        else:
            self.faults.pop(part, None)
