"""Logging in to a database without a password: who may connect as whom, and what pods and Jobs are told of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from .database import MASTER_USER
from .errors import ArgsError
from .pod_identity import Permission, build_pod_identity

CA_FOLDER = "/etc/slipway/database"
CA_FILE = "ca.pem"


@dataclass(frozen=True, kw_only=True)
class DatabaseLogin:
    """A database that a service logs in to as users of its own, with tokens. `Database` has the values as outputs."""

    host: pulumi.Input[str]
    """The endpoint, as RDS names it: a token is for this name alone."""
    port: pulumi.Input[int]
    """Where it listens."""
    database_name: pulumi.Input[str]
    """The database in it. The users are called `<service>_app` and `<service>_owner`, hyphens as underscores."""
    region: str
    """AWS region of the instance."""
    instance_arn: pulumi.Input[str]
    """The instance's ARN, which names partition and account."""
    resource_id: pulumi.Input[str]
    """What IAM calls the instance: `db-…`."""
    master_secret_arn: pulumi.Input[str]
    """Where RDS keeps the master user's password. Only the Job that makes the users may read it."""
    master_user: str = MASTER_USER
    """The master user, as which that Job logs in; `Database`'s by default."""
    key_arn: pulumi.Input[str]
    """KMS key of that secret."""
    ca_bundle: str
    """Certificates of RDS's authorities, in PEM: who connects verifies the server with them."""

    def __post_init__(self) -> None:
        if "-----BEGIN CERTIFICATE-----" not in self.ca_bundle:
            raise ArgsError("ca_bundle", got=self.ca_bundle[:40], want="certificates in PEM")


@dataclass(frozen=True, kw_only=True)
class LoginNames:
    """What the parts are called in Kubernetes."""

    app: str
    """ConfigMap with the variables of the service's pods."""
    ca: str
    """ConfigMap with the certificates."""
    migrations: str
    """ServiceAccount and ConfigMap of the Jobs that migrate."""
    roles: str
    """ServiceAccount and ConfigMap of the Jobs that make the database's users."""


def login_names(service: str) -> LoginNames:
    """Of one service, in its namespace."""
    return LoginNames(
        app=f"{service}-database",
        ca=f"{service}-database-ca",
        migrations=f"{service}-migrations",
        roles=f"{service}-roles",
    )


def app_permission(service: str, login: DatabaseLogin) -> Permission:
    """To connect as the service's own user."""
    return _connect(login, _user(service, "app"))


def build_database_login(
    name: str,
    *,
    service: str,
    login: DatabaseLogin,
    cluster_name: pulumi.Input[str],
    namespace: pulumi.Input[str],
    boundary_arn: pulumi.Input[str] | None,
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """ConfigMaps for pods and Jobs, and the Jobs' service accounts with roles of their own; what pods must not start before.

    The Jobs themselves belong to a release: they run its image.
    """
    names = login_names(service)
    app, owner = _user(service, "app"), _user(service, "owner")
    place: dict[str, pulumi.Input[str]] = {
        "DATABASE_HOST": login.host,
        "DATABASE_PORT": pulumi.Output.from_input(login.port).apply(lambda port: str(int(port))),
        "DATABASE_NAME": login.database_name,
        "DATABASE_REGION": login.region,
        "DATABASE_CA_FILE": f"{CA_FOLDER}/{CA_FILE}",
    }
    as_master = [
        Permission(actions=["secretsmanager:GetSecretValue"], resources=[login.master_secret_arn]),
        Permission(actions=["kms:Decrypt"], resources=[login.key_arn]),
        _connect(login, login.master_user),  # from PostgreSQL 16 on it may need a token, for it has made users that do
    ]
    users: dict[str, pulumi.Input[str]] = {
        "DATABASE_MASTER_SECRET": login.master_secret_arn,
        "DATABASE_APP_USER": app,
        "DATABASE_OWNER_USER": owner,
    }

    def config_map(part: str, called: str, data: Mapping[str, pulumi.Input[str]]) -> pulumi.Resource:
        metadata = k8s.meta.v1.ObjectMetaArgs(name=called, namespace=namespace)
        return k8s.core.v1.ConfigMap(f"{name}-{part}", metadata=metadata, data={**data}, opts=opts)

    def account(part: str, called: str, permissions: Sequence[Permission]) -> None:
        k8s.core.v1.ServiceAccount(
            f"{name}-{part}",
            metadata=k8s.meta.v1.ObjectMetaArgs(name=called, namespace=namespace),
            automount_service_account_token=False,
            opts=opts,
        )
        build_pod_identity(
            name,
            cluster_name=cluster_name,
            namespace=service,
            service_account=called,
            permissions=permissions,
            boundary_arn=boundary_arn,
            opts=opts,
            part=f"pods-{part}",
        )

    account("migrations", names.migrations, [_connect(login, owner)])
    account("roles", names.roles, as_master)
    config_map("migrations", names.migrations, {**place, "DATABASE_USER": owner})
    config_map("roles", names.roles, {**place, **users})
    return [
        config_map("login", names.app, {**place, "DATABASE_USER": app}),
        config_map("login-ca", names.ca, {CA_FILE: login.ca_bundle}),
    ]


def _user(service: str, part: str) -> str:
    return f"{service.replace('-', '_')}_{part}"


def _connect(login: DatabaseLogin, user: str) -> Permission:
    """Source: RDS user guide, "Creating and using an IAM policy for IAM database access"."""
    place = pulumi.Output.from_input(login.instance_arn).apply(_database_place)
    resource = pulumi.Output.format("{}:dbuser:{}/{}", place, login.resource_id, user)
    return Permission(actions=["rds-db:connect"], resources=[resource])


def _database_place(instance_arn: str) -> str:
    partition, region, account = (instance_arn.split(":")[index] for index in (1, 3, 4))
    return f"arn:{partition}:rds-db:{region}:{account}"
