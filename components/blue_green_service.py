"""A service that runs as two colours, so that a new release can stand beside the old one."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pulumi
import pulumi_kubernetes as k8s

from .compute import Compute
from .database_login import DatabaseLogin, LoginNames, app_permission, build_database_login, login_names
from .errors import ArgsError
from .load_balancer import COLOURS
from .pod_identity import Permission, build_pod_identity
from .pod_template import PodSettings, dress_pod_template, http_port, render_pod_template

BINDING_API_VERSIONS = {
    Compute.AUTO: "eks.amazonaws.com/v1",
    Compute.NODE_GROUP: "elbv2.k8s.aws/v1beta1",  # AWS Load Balancer Controller
}
READINESS_GATE_LABELS = (
    "elbv2.k8s.aws/pod-readiness-gate-inject",  # AWS Load Balancer Controller
    "eks.amazonaws.com/pod-readiness-gate-inject",  # EKS Auto Mode
)
"""Pods of such a namespace are ready only once the load balancer calls them healthy."""
REVISION_DIGITS = 12
PASSWORD, TOKENS = "password", "tokens"


@dataclass(frozen=True, kw_only=True)
class ColourRelease:
    """What one colour runs."""

    release: str
    """The release's id; shown by the service and by `kubectl get pods -L slipway.dev/release`."""
    version: str
    """The service's own version; shown by the service."""
    image: str
    """Reference by digest, `<repository>@sha256:…`."""
    template: str | None = None
    """The pod template that this colour keeps, whatever `pod` says now: the output `pod_template` of when it was released. None: as
    `pod` says, so that a change of settings replaces its pods."""
    secrets: str | None = None
    """Which values of `environment` this colour keeps: the output `secrets_revision` of when it was released. It has a Secret of its
    own, which never changes. None: the present values."""
    login: str = "password"
    """How it logs in to its database: `password`, by the variables in `environment`, or `tokens`, by `database`."""

    def __post_init__(self) -> None:
        if self.login not in (PASSWORD, TOKENS):
            raise ArgsError("login", got=self.login, want=f"{PASSWORD} or {TOKENS}")
        if "@sha256:" not in self.image:
            raise ArgsError("image", got=self.image, want="a reference by digest: <repository>@sha256:<64 hex digits>")
        if self.template is not None:
            try:
                http_port(json.loads(self.template))
            except (ValueError, LookupError, TypeError, StopIteration) as error:
                want = "what `pod_template` was, as JSON"
                raise ArgsError("template", got=f"{self.template[:100]}…", want=want) from error


@dataclass(frozen=True, kw_only=True)
class BlueGreenServiceArgs:
    """What a blue-green pair is made from."""

    service: str
    """The service's name: namespace, Deployments `<service>-blue` and `<service>-green`, and labels carry it."""
    cluster_name: pulumi.Input[str]
    """The EKS cluster that the Kubernetes provider reaches. It needs the Pod Identity agent: EKS's add-on, or Auto Mode."""
    compute: Compute = Compute.AUTO
    """Who runs the cluster's nodes, as the cluster has it: Auto Mode has bindings to target groups of its own kind."""
    colours: Mapping[str, ColourRelease | None]
    """What each colour runs; None, or left out: no pods of that colour."""
    target_group_arns: Mapping[str, pulumi.Input[str]]
    """The load balancer's target group of each colour."""
    environment: pulumi.Input[Mapping[str, pulumi.Input[str]]] | None = None
    """Environment variables that are secret, for releases that log in with a password; they live in a Kubernetes Secret,
    `<service>-database`, and in one of each colour that keeps its own. None: there is no Secret."""
    database: DatabaseLogin | None = None
    """The database that releases with tokens log in to."""
    permissions: Sequence[Permission] = ()
    """What its pods may do in AWS. None: their role exists and may do nothing."""
    permissions_boundary_arn: pulumi.Input[str] | None = None
    """The IAM policy that bounds `permissions`; the deploying role may be bound to set one."""
    minimum_replicas: int = 2
    """Per colour that runs. Below 2 a node's maintenance interrupts the service."""
    maximum_replicas: int = 4
    """Per colour that runs; where the autoscaler stops."""
    floors: Mapping[str, int] = field(default_factory=dict[str, int])
    """Pods that a colour keeps at least, above `minimum_replicas` and up to `maximum_replicas`, while its traffic, or its way back, needs
    them. The autoscaler may add more."""
    target_cpu_percent: int = 70
    """The autoscaler adds pods above this share of the requested CPU."""
    pod: PodSettings = field(default_factory=PodSettings)
    """Port, resources and timing of a pod."""

    def __post_init__(self) -> None:
        if self.compute not in tuple(Compute):
            raise ArgsError("compute", got=self.compute, want="auto or nodeGroup")
        for name, colours in (("colours", self.colours), ("floors", self.floors)):
            if not set(colours) <= set(COLOURS):
                raise ArgsError(name, got=sorted(colours), want="blue, green or both")
        logins = {release.login for release in self.colours.values() if release}
        for login, argument in ((PASSWORD, "environment"), (TOKENS, "database")):
            if login in logins and getattr(self, argument) is None:
                raise ArgsError(argument, got=None, want=f"a value: a colour logs in with {login}")
        if not 0 < self.minimum_replicas <= self.maximum_replicas:
            raise ArgsError(
                "minimum_replicas, maximum_replicas",
                got=(self.minimum_replicas, self.maximum_replicas),
                want="1 or more, in ascending order",
            )


class BlueGreenService(pulumi.ComponentResource):
    """Two Deployments of one service, each behind a target group of its own, autoscaled and safe to drain.

    Creates: a namespace, and in it Secrets (`environment`) and a ServiceAccount; an IAM role of that account's own, associated by EKS Pod
    Identity; the same for the Jobs of `database`, and ConfigMaps that say how to log in; for each colour a Service and a
    TargetGroupBinding; for each colour that runs a Deployment, a HorizontalPodAutoscaler and a PodDisruptionBudget. It takes a Kubernetes
    and an AWS provider.
    Not: traffic. Weights belong to the load balancer's listener. Nor the database's users: a Job makes them, with the release's image.
    Nor waiting for pods: an update ends once the cluster has taken a Deployment, and whoever moves traffic waits. Its removal waits for
    the pods' end.
    Outputs: namespace, deployment_names, secret_name, database_login (names of what Jobs need) - known at preview; pod_template,
    secrets_revision - what a colour is given now, for `ColourRelease` to keep, without secrets in plain text, known once `environment` is
    (secrets_revision is None without one); role_arn - known after apply.
    Errors: ArgsError on compute, colours, floors, image (not by digest), template, login without what it needs, and replicas, before any
    resource.
    Promises: Services and bindings of both colours always exist, so that a release never creates a path for traffic, only pods. Pods
    are made after the role's association; AWS may take some seconds more to give new pods its credentials. A colour with a `template`
    and `secrets` of its own is not changed by other settings or secrets.
    """

    namespace: pulumi.Output[str]
    deployment_names: dict[str, str]
    secret_name: str
    pod_template: pulumi.Output[str]
    secrets_revision: pulumi.Output[str | None]
    database_login: dict[str, str]
    role_arn: pulumi.Output[str]

    def __init__(self, name: str, args: BlueGreenServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:BlueGreenService", name, None, opts)
        self._name = name
        self._args = args
        self._template = render_pod_template(args.service, args.pod)
        child = pulumi.ResourceOptions(parent=self)
        namespace = k8s.core.v1.Namespace(
            f"{name}-namespace",
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=args.service,
                labels={
                    "app.kubernetes.io/part-of": args.service,
                    **dict.fromkeys(READINESS_GATE_LABELS, "enabled"),
                    "pod-security.kubernetes.io/enforce": "restricted",
                },
            ),
            opts=child,
        )
        self.namespace = namespace.metadata.name
        self.secret_name = f"{args.service}-database"
        needs = [*self._secret(), *self._login()]
        account = k8s.core.v1.ServiceAccount(
            f"{name}-account",
            metadata=k8s.meta.v1.ObjectMetaArgs(name=args.service, namespace=self.namespace),
            automount_service_account_token=False,
            opts=child,
        )
        role, identity = build_pod_identity(
            name,
            cluster_name=args.cluster_name,
            namespace=args.service,
            service_account=args.service,
            permissions=[
                *args.permissions,
                *([app_permission(args.service, args.database)] if args.database else []),
            ],
            boundary_arn=args.permissions_boundary_arn,
            opts=child,
        )
        self.role_arn = role.arn
        self.pod_template = pulumi.Output.json_dumps(self._template, sort_keys=True)
        self.secrets_revision = (
            _revise(args.environment) if args.environment is not None else pulumi.Output.from_input(None)
        )
        for colour in COLOURS:
            path = self._path(colour)
            release = args.colours.get(colour)
            if release is not None:
                self._pods(colour, release, [*needs, account, *identity, *path])
        self.deployment_names = {colour: f"{args.service}-{colour}" for colour in COLOURS}
        self.register_outputs(
            {
                "namespace": self.namespace,
                "deploymentNames": self.deployment_names,
                "secretName": self.secret_name,
                "podTemplate": self.pod_template,
                "secretsRevision": self.secrets_revision,
                "databaseLogin": self.database_login,
                "roleArn": self.role_arn,
            }
        )

    def _secret(self) -> list[pulumi.Resource]:
        if self._args.environment is None:
            return []
        return [
            k8s.core.v1.Secret(
                f"{self._name}-database",
                metadata=k8s.meta.v1.ObjectMetaArgs(name=self.secret_name, namespace=self.namespace),
                string_data=self._args.environment,
                opts=pulumi.ResourceOptions(parent=self),
            )
        ]

    def _login(self) -> list[pulumi.Resource]:
        args = self._args
        if args.database is None:
            self.database_login = {}
            return []
        names = self._login_names
        self.database_login = {"caConfigMap": names.ca, "migrations": names.migrations, "roles": names.roles}
        return build_database_login(
            self._name,
            service=args.service,
            login=args.database,
            cluster_name=args.cluster_name,
            namespace=self.namespace,
            boundary_arn=args.permissions_boundary_arn,
            opts=pulumi.ResourceOptions(parent=self),
        )

    @property
    def _login_names(self) -> LoginNames:
        return login_names(self._args.service)

    def _labels(self, colour: str) -> dict[str, str]:
        return {"app.kubernetes.io/name": self._args.service, "slipway.dev/colour": colour}

    def _metadata(self, colour: str, **more: Any) -> k8s.meta.v1.ObjectMetaArgs:
        return k8s.meta.v1.ObjectMetaArgs(
            name=f"{self._args.service}-{colour}", namespace=self.namespace, labels=self._labels(colour), **more
        )

    def _template_of(self, colour: str) -> Mapping[str, Any]:
        """The shared part of the colour's pod template: its own, or the present one."""
        release = self._args.colours.get(colour)
        return self._template if release is None or release.template is None else json.loads(release.template)

    def _secret_of(self, colour: str, release: ColourRelease) -> k8s.core.v1.Secret:
        """The values that the colour was released with. The present ones are ignored, unless it is made only now."""
        return k8s.core.v1.Secret(
            f"{self._name}-{colour}-{release.secrets}",
            metadata=k8s.meta.v1.ObjectMetaArgs(
                name=f"{self._args.service}-{colour}-{release.secrets}",
                namespace=self.namespace,
                labels=self._labels(colour),
            ),
            string_data=self._args.environment,
            immutable=True,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["stringData"]),
        )

    def _path(self, colour: str) -> list[pulumi.Resource]:
        """How requests get from the colour's target group to its pods, whether there are any or not.

        Pods wait for it: readiness gates are given only to pods that are created after the binding.
        """
        child = pulumi.ResourceOptions(parent=self)
        service = k8s.core.v1.Service(
            f"{self._name}-{colour}",
            # An idle colour has no pods: waiting for endpoints would never end.
            metadata=self._metadata(colour, annotations={"pulumi.com/skipAwait": "true"}),
            spec=k8s.core.v1.ServiceSpecArgs(
                selector=self._labels(colour),
                ports=[
                    k8s.core.v1.ServicePortArgs(name="http", port=80, target_port=http_port(self._template_of(colour)))
                ],
            ),
            opts=child,
        )
        binding = k8s.apiextensions.CustomResource(
            f"{self._name}-{colour}-binding",
            api_version=BINDING_API_VERSIONS[self._args.compute],
            kind="TargetGroupBinding",
            metadata=self._metadata(colour),
            spec={
                "serviceRef": {"name": service.metadata.name, "port": 80},
                "targetGroupARN": self._args.target_group_arns[colour],
                # No `networking`: rules of the two security groups let the load balancer in, and no controller makes more.
                "targetType": "ip",
            },
            opts=child,
        )
        return [service, binding]

    def _pods(self, colour: str, release: ColourRelease, needs: list[pulumi.Resource]) -> None:
        child = pulumi.ResourceOptions(parent=self)
        args = self._args
        secret = self._secret_of(colour, release) if release.secrets and release.login == PASSWORD else None
        template = dress_pod_template(
            self._template_of(colour),
            selector=self._labels(colour),
            labels={"slipway.dev/release": release.release},
            image=release.image,
            environment={"APP_COLOUR": colour, "APP_RELEASE": release.release, "APP_VERSION": release.version},
            secret_name=f"{args.service}-{colour}-{release.secrets}" if secret else self.secret_name,
            login=self._login_names if release.login == TOKENS else None,
        )
        deployment = k8s.apps.v1.Deployment(
            f"{self._name}-{colour}",
            # `up` ends once the cluster has taken it. Whoever moves the traffic waits for the pods, sees why they do not start, and
            # can be stopped meanwhile. Not `skipAwait`: that would skip the wait for its end as well, when it is deleted.
            metadata=self._metadata(
                colour, annotations={"pulumi.com/waitFor": "jsonpath={.status.observedGeneration}"}
            ),
            spec=k8s.apps.v1.DeploymentSpecArgs(
                replicas=args.minimum_replicas,
                revision_history_limit=2,
                selector=k8s.meta.v1.LabelSelectorArgs(match_labels=self._labels(colour)),
                strategy=k8s.apps.v1.DeploymentStrategyArgs(
                    rolling_update=k8s.apps.v1.RollingUpdateDeploymentArgs(max_surge="50%", max_unavailable=0)
                ),
                # Kubernetes' own JSON, as it was kept.
                template=cast("Any", template),
            ),
            # The autoscaler owns the number of pods once they run: declaring it again would shrink a busy service.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[*needs, *([secret] if secret else [])], ignore_changes=["spec.replicas"]
            ),
        )
        k8s.autoscaling.v2.HorizontalPodAutoscaler(
            f"{self._name}-{colour}",
            # Whoever moves traffic changes the minimum first, in between two updates: both follow the same floors.
            metadata=self._metadata(colour, annotations={"pulumi.com/patchForce": "true"}),
            spec=k8s.autoscaling.v2.HorizontalPodAutoscalerSpecArgs(
                scale_target_ref=k8s.autoscaling.v2.CrossVersionObjectReferenceArgs(
                    api_version="apps/v1", kind="Deployment", name=deployment.metadata.name
                ),
                min_replicas=min(max(args.minimum_replicas, args.floors.get(colour, 0)), args.maximum_replicas),
                max_replicas=args.maximum_replicas,
                metrics=[
                    k8s.autoscaling.v2.MetricSpecArgs(
                        type="Resource",
                        resource=k8s.autoscaling.v2.ResourceMetricSourceArgs(
                            name="cpu",
                            target=k8s.autoscaling.v2.MetricTargetArgs(
                                type="Utilization", average_utilization=args.target_cpu_percent
                            ),
                        ),
                    )
                ],
            ),
            opts=child,
        )
        k8s.policy.v1.PodDisruptionBudget(
            f"{self._name}-{colour}",
            metadata=self._metadata(colour),
            spec=k8s.policy.v1.PodDisruptionBudgetSpecArgs(
                max_unavailable=1, selector=k8s.meta.v1.LabelSelectorArgs(match_labels=self._labels(colour))
            ),
            opts=child,
        )


def _revise(environment: pulumi.Input[Mapping[str, pulumi.Input[str]]]) -> pulumi.Output[str]:
    """Tells other values from these. It is no secret, so it must not be one that tells them: passwords that can be guessed are none."""
    digest = pulumi.Output.json_dumps(environment, sort_keys=True).apply(
        lambda text: hashlib.sha256(text.encode()).hexdigest()[:REVISION_DIGITS]
    )
    return pulumi.Output.unsecret(digest)
