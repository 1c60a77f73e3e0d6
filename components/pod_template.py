"""What a pod of a service looks like: bounded, unprivileged, probed, and slow to leave. In Kubernetes' own JSON, so that it can be kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


def render_pod_template(service: str, pod: PodSettings) -> dict[str, Any]:
    """The part of a pod template that both colours and all releases share: what a colour keeps when the settings change."""
    ports = {"http": pod.port, "metrics": pod.metrics_port}
    plain = {"PORT": str(pod.port), "METRICS_PORT": str(pod.metrics_port)}
    container: dict[str, Any] = {
        "name": service,
        "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
        "env": [{"name": name, "value": value} for name, value in plain.items()],
        "resources": {
            "requests": {"cpu": f"{pod.cpu_millicores}m", "memory": f"{pod.memory_mib}Mi"},
            "limits": {"memory": f"{pod.memory_mib}Mi"},
        },
        "startupProbe": _probe("/healthz", pod.port, period_seconds=1, failure_threshold=60),
        # Patient: a busy machine that answers late must not lose all its pods at once. The load balancer asks by itself, too.
        "readinessProbe": _probe("/readyz", pod.port, period_seconds=2, failure_threshold=3),
        "livenessProbe": _probe("/healthz", pod.port, period_seconds=10, failure_threshold=3),
        "lifecycle": {"preStop": {"sleep": {"seconds": pod.drain_seconds}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "temporary", "mountPath": "/tmp"}],  # noqa: S108 - in the pod
    }
    return {
        "spec": {
            "containers": [container],
            "serviceAccountName": service,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": pod.grace_seconds,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": pod.user_id,
                "runAsGroup": pod.user_id,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
            ],
            "volumes": [{"name": "temporary", "emptyDir": {"sizeLimit": "64Mi"}}],
        }
    }


def dress_pod_template(
    template: Mapping[str, Any],
    *,
    selector: Mapping[str, str],
    labels: Mapping[str, str],
    image: str,
    environment: Mapping[str, str],
    secret_name: str,
    login: LoginNames | None,
) -> dict[str, Any]:
    """The template of one colour's pods: the shared part, and what tells this release in this colour from others.

    `selector`: the labels that tell the colour's pods from all others; `labels`: more of them. `login`: with tokens; None: with the
    password in the Secret.
    """
    spec = template["spec"]
    first, *others = spec["containers"]
    variables = {"configMapRef": {"name": login.app}} if login else {"secretRef": {"name": secret_name}}
    # Not by subPath: pods see new authorities without a restart.
    mounts = [{"name": CA_VOLUME, "mountPath": CA_FOLDER, "readOnly": True}] if login else []
    volumes = [{"name": CA_VOLUME, "configMap": {"name": login.ca}}] if login else []
    container = {
        **first,
        "image": image,
        "env": [*({"name": name, "value": value} for name, value in environment.items()), *first.get("env", ())],
        "envFrom": [variables, *first.get("envFrom", ())],
        "volumeMounts": [*first.get("volumeMounts", ()), *mounts],
    }
    spread = [{**each, "labelSelector": {"matchLabels": selector}} for each in spec["topologySpreadConstraints"]]
    return {
        "metadata": {"labels": {**selector, **labels}},
        "spec": {
            **spec,
            "containers": [container, *others],
            "topologySpreadConstraints": spread,
            "volumes": [*spec.get("volumes", ()), *volumes],
        },
    }


def http_port(template: Mapping[str, Any]) -> int:
    """Where pods of a template listen for HTTP."""
    ports = template["spec"]["containers"][0]["ports"]
    return next(port["containerPort"] for port in ports if port["name"] == "http")


def _probe(path: str, port: int, *, period_seconds: int, failure_threshold: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period_seconds,
        "timeoutSeconds": 5,
        "failureThreshold": failure_threshold,
    }
