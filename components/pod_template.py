"""What a pod of a service looks like: bounded, unprivileged, probed, and slow to leave."""

from dataclasses import dataclass

import pulumi_kubernetes as k8s

from .database_login import CA_FOLDER, LoginNames
from .errors import ArgsError
from .load_balancer import DEREGISTRATION_DELAY_SECONDS

CA_VOLUME = "database-ca"


@dataclass(frozen=True, kw_only=True)
class PodSettings:
    """Port, resources and timing of a pod."""

    port: int = 8080
    """Where the container listens for HTTP."""
    metrics_port: int = 9090
    """Where the container answers Prometheus, which finds it by the port's name, `metrics`. No Service has it, so no load balancer."""
    cpu_millicores: int = 100
    """Requested CPU, in thousandths of a core; there is no CPU limit, because a limit throttles below the node's real load."""
    memory_mib: int = 192
    """Requested memory and its limit, in MiB."""
    drain_seconds: int = 20
    """Seconds for which a pod that is told to go keeps serving (preStop). An ALB sends requests for up to about 10 s after a target is
    deregistered, which itself happens some seconds after the pod began to go."""
    deregistration_delay_seconds: int = DEREGISTRATION_DELAY_SECONDS
    """The target groups' deregistration delay. The grace period is the sum of this, `drain_seconds` and `slowest_request_seconds`."""
    slowest_request_seconds: int = 10
    """Seconds that the slowest request may take to be answered."""
    user_id: int = 10001
    """The image's unprivileged user."""

    def __post_init__(self) -> None:
        if not 0 < self.port < 65_536:
            raise ArgsError("port", got=self.port, want="1 to 65535")
        if not 0 < self.metrics_port < 65_536 or self.metrics_port == self.port:
            raise ArgsError("metrics_port", got=self.metrics_port, want="1 to 65535, and not the port of the service")
        if self.cpu_millicores < 10 or self.memory_mib < 32:
            raise ArgsError(
                "cpu_millicores, memory_mib", got=(self.cpu_millicores, self.memory_mib), want="10 or more, 32 or more"
            )
        if self.deregistration_delay_seconds < self.slowest_request_seconds:
            raise ArgsError(
                "deregistration_delay_seconds",
                got=self.deregistration_delay_seconds,
                want=f"{self.slowest_request_seconds} or more, the slowest request: it would be cut off",
            )

    @property
    def grace_seconds(self) -> int:
        """Seconds between the order to go and SIGKILL."""
        return self.drain_seconds + self.deregistration_delay_seconds + self.slowest_request_seconds


def render_pod_template(
    *,
    service: str,
    labels: dict[str, str],
    colour: str,
    release: str,
    version: str,
    image: str,
    secret_name: str,
    login: LoginNames | None,
    pod: PodSettings,
) -> k8s.core.v1.PodTemplateSpecArgs:
    """The template of one colour's pods. `login`: with tokens; None: with the password in the Secret."""
    ports = {"http": pod.port, "metrics": pod.metrics_port}
    plain = {
        "APP_COLOUR": colour,
        "APP_RELEASE": release,
        "APP_VERSION": version,
        "PORT": str(pod.port),
        "METRICS_PORT": str(pod.metrics_port),
    }
    container = k8s.core.v1.ContainerArgs(
        name=service,
        image=image,
        ports=[k8s.core.v1.ContainerPortArgs(name=name, container_port=port) for name, port in ports.items()],
        env=[k8s.core.v1.EnvVarArgs(name=name, value=value) for name, value in plain.items()],
        env_from=[_variables(secret_name, login)],
        resources=k8s.core.v1.ResourceRequirementsArgs(
            requests={"cpu": f"{pod.cpu_millicores}m", "memory": f"{pod.memory_mib}Mi"},
            limits={"memory": f"{pod.memory_mib}Mi"},
        ),
        startup_probe=_probe("/healthz", pod.port, period_seconds=1, failure_threshold=60),
        # Patient: a busy machine that answers late must not lose all its pods at once. The load balancer asks by itself, too.
        readiness_probe=_probe("/readyz", pod.port, period_seconds=2, failure_threshold=3),
        liveness_probe=_probe("/healthz", pod.port, period_seconds=10, failure_threshold=3),
        lifecycle=k8s.core.v1.LifecycleArgs(
            pre_stop=k8s.core.v1.LifecycleHandlerArgs(sleep=k8s.core.v1.SleepActionArgs(seconds=pod.drain_seconds))
        ),
        security_context=k8s.core.v1.SecurityContextArgs(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
        ),
        volume_mounts=[
            k8s.core.v1.VolumeMountArgs(name="temporary", mount_path="/tmp"),  # noqa: S108 - in the pod
            *([k8s.core.v1.VolumeMountArgs(name=CA_VOLUME, mount_path=CA_FOLDER, read_only=True)] if login else []),
        ],
    )
    return k8s.core.v1.PodTemplateSpecArgs(
        metadata=k8s.meta.v1.ObjectMetaArgs(labels={**labels, "slipway.dev/release": release}),
        spec=k8s.core.v1.PodSpecArgs(
            containers=[container],
            service_account_name=service,
            automount_service_account_token=False,
            termination_grace_period_seconds=pod.grace_seconds,
            security_context=k8s.core.v1.PodSecurityContextArgs(
                run_as_non_root=True,
                run_as_user=pod.user_id,
                run_as_group=pod.user_id,
                seccomp_profile=k8s.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
            ),
            topology_spread_constraints=[
                k8s.core.v1.TopologySpreadConstraintArgs(
                    max_skew=1,
                    topology_key="topology.kubernetes.io/zone",
                    when_unsatisfiable="ScheduleAnyway",
                    label_selector=k8s.meta.v1.LabelSelectorArgs(match_labels=labels),
                )
            ],
            volumes=[
                k8s.core.v1.VolumeArgs(
                    name="temporary", empty_dir=k8s.core.v1.EmptyDirVolumeSourceArgs(size_limit="64Mi")
                ),
                *_authorities(login),
            ],
        ),
    )


def _variables(secret_name: str, login: LoginNames | None) -> k8s.core.v1.EnvFromSourceArgs:
    if login is None:
        return k8s.core.v1.EnvFromSourceArgs(secret_ref=k8s.core.v1.SecretEnvSourceArgs(name=secret_name))
    return k8s.core.v1.EnvFromSourceArgs(config_map_ref=k8s.core.v1.ConfigMapEnvSourceArgs(name=login.app))


def _authorities(login: LoginNames | None) -> list[k8s.core.v1.VolumeArgs]:
    """Not by subPath: pods see new authorities without a restart."""
    if login is None:
        return []
    source = k8s.core.v1.ConfigMapVolumeSourceArgs(name=login.ca)
    return [k8s.core.v1.VolumeArgs(name=CA_VOLUME, config_map=source)]


def _probe(path: str, port: int, *, period_seconds: int, failure_threshold: int) -> k8s.core.v1.ProbeArgs:
    return k8s.core.v1.ProbeArgs(
        http_get=k8s.core.v1.HTTPGetActionArgs(path=path, port=port),
        period_seconds=period_seconds,
        timeout_seconds=5,
        failure_threshold=failure_threshold,
    )
