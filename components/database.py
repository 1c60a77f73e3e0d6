"""A PostgreSQL database that only named clients reach."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from .errors import ArgsError
from .log_group import build_log_group, check_retention

POSTGRESQL_PORT = 5432
MASTER_USER = "slipway"
EXPORTED_LOGS = ("postgresql",)
LARGEST_STORAGE_GIB = 65_536  # gp3 limit for RDS PostgreSQL; source: RDS user guide, "Storage types", 2026


@dataclass(frozen=True, kw_only=True)
class DatabaseArgs:
    """What a database is made from."""

    vpc_id: pulumi.Input[str]
    """The VPC of the subnets."""
    subnet_ids: pulumi.Input[Sequence[str]]
    """Private subnets in at least two zones."""
    client_security_group_ids: Mapping[str, pulumi.Input[str]]
    """Who may connect: security groups by a name that says who they are."""
    key_arn: pulumi.Input[str]
    """KMS key of storage, snapshots, the master password and logs. Its policy must admit CloudWatch Logs. Cannot be changed later
    without a new database."""
    database_name: str
    """Name of the first database; letters, digits and underscores."""
    engine_version: str = "15"
    """Major version; minor upgrades happen by themselves in the maintenance window. Another major version is refused by AWS unless
    `allow_major_version_upgrade` is set, interrupts the database for minutes, and cannot be undone."""
    allow_major_version_upgrade: bool = False
    """Let a change of `engine_version` upgrade the major version. Wants `apply_immediately`. Take both away again afterwards."""
    apply_immediately: bool = False
    """Make changes now: RDS keeps those of `engine_version`, `instance_class`, `multi_az` and others for the weekly maintenance window
    otherwise, and an `up` that says it has made them has only asked for them."""
    instance_class: str = "db.t4g.small"
    """RDS instance class; changing it restarts the database. Logins with tokens take 300 MiB and more: a db.t4g.micro has too
    little."""
    storage_gib: int = 20
    """Storage, in GiB, 20 to 65,536; grows by itself up to five times as much, within the same limit."""
    multi_az: bool = False
    """Keep a standby in another zone, which takes over within about a minute. Doubles the price."""
    backup_days: int = 7
    """Days of point-in-time recovery, 1 to 35."""
    log_retention_days: int = 30
    """Days for which PostgreSQL's logs are kept; one of the values that CloudWatch Logs accepts."""
    iam_authentication: bool = True
    """Let members of the role `rds_iam` log in with tokens, and with nothing else. Takes 300 to 1,000 MiB of memory at work."""
    master_password: bool = True
    """Have the master user's password in `environment`. RDS changes it every seven days, and nothing tells who has the old one; False:
    nothing here reads it."""
    protect: bool = False
    """Refuse to delete the database, in Pulumi and in AWS, and keep a last snapshot."""

    def __post_init__(self) -> None:
        if not 20 <= self.storage_gib <= LARGEST_STORAGE_GIB:
            raise ArgsError("storage_gib", got=self.storage_gib, want=f"20 to {LARGEST_STORAGE_GIB}")
        if not 1 <= self.backup_days <= 35:
            raise ArgsError("backup_days", got=self.backup_days, want="1 to 35")
        if self.allow_major_version_upgrade and not self.apply_immediately:
            # The parameter group of the version before would be deleted at once, while the instance still has it.
            raise ArgsError("apply_immediately", got=False, want="True, while allow_major_version_upgrade is set")
        check_retention(self.log_retention_days)


def largest_storage_gib(storage_gib: int) -> int:
    """How far storage of this size, in GiB, grows by itself."""
    return min(storage_gib * 5, LARGEST_STORAGE_GIB)


class Database(pulumi.ComponentResource):
    """An encrypted RDS PostgreSQL whose password AWS makes and keeps, reachable from named security groups only.

    Creates: RDS instance (holds data), subnet group, parameter group, security group, CloudWatch log groups, a Secrets Manager secret
    (made by RDS).
    Not: read replicas, a proxy, per-service users.
    Outputs: host, port, database_name, instance_identifier, instance_arn, resource_id, master_secret_arn - known after apply; environment -
    the DATABASE_* variables of the master user, the password secret, if it is among them.
    Errors: ArgsError on storage_gib, backup_days, log_retention_days and apply_immediately, before any resource.
    Promises: the instance is called `<name>-postgresql` (one made before November 2026 keeps its name).
    """

    host: pulumi.Output[str]
    port: pulumi.Output[int]
    database_name: pulumi.Output[str]
    instance_identifier: pulumi.Output[str]
    instance_arn: pulumi.Output[str]
    resource_id: pulumi.Output[str]
    master_secret_arn: pulumi.Output[str]
    environment: dict[str, pulumi.Output[str]]

    def __init__(self, name: str, args: DatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("slipway:index:Database", name, None, opts)
        self._name = name
        child = pulumi.ResourceOptions(parent=self)
        subnets = aws.rds.SubnetGroup(f"{name}-subnets", subnet_ids=args.subnet_ids, opts=child)
        parameters = aws.rds.ParameterGroup(
            f"{name}-parameters",
            family=f"postgres{args.engine_version.split('.')[0]}",
            parameters=[
                aws.rds.ParameterGroupParameterArgs(name="rds.force_ssl", value="1", apply_method="immediate"),
                aws.rds.ParameterGroupParameterArgs(
                    name="log_min_duration_statement", value="1000", apply_method="immediate"
                ),
            ],
            opts=child,
        )
        identifier = f"{name}-postgresql"
        logs = [
            build_log_group(
                f"{identifier}-{kind}",
                path=f"/aws/rds/instance/{identifier}/{kind}",
                key_arn=args.key_arn,
                retention_days=args.log_retention_days,
                opts=child,
            )
            for kind in EXPORTED_LOGS
        ]
        instance = aws.rds.Instance(
            identifier,
            identifier=identifier,
            engine="postgres",
            engine_version=args.engine_version,
            allow_major_version_upgrade=args.allow_major_version_upgrade,
            apply_immediately=args.apply_immediately,
            instance_class=args.instance_class,
            allocated_storage=args.storage_gib,
            max_allocated_storage=largest_storage_gib(args.storage_gib),
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=args.key_arn,
            db_name=args.database_name,
            username=MASTER_USER,
            manage_master_user_password=True,
            iam_database_authentication_enabled=args.iam_authentication,
            master_user_secret_kms_key_id=args.key_arn,
            port=POSTGRESQL_PORT,
            db_subnet_group_name=subnets.name,
            parameter_group_name=parameters.name,
            vpc_security_group_ids=[self._door(args).id],
            publicly_accessible=False,
            multi_az=args.multi_az,
            backup_retention_period=args.backup_days,
            copy_tags_to_snapshot=True,
            deletion_protection=args.protect,
            skip_final_snapshot=not args.protect,
            # Of the subnet group, whose name is new whenever the environment is: a snapshot of the last one may still be there.
            final_snapshot_identifier=pulumi.Output.format("{}-final", subnets.name) if args.protect else None,
            auto_minor_version_upgrade=True,
            performance_insights_enabled=True,
            enabled_cloudwatch_logs_exports=list(EXPORTED_LOGS),
            # Another identifier renames an instance, and with it its address; those made before November 2026 have a generated one.
            opts=pulumi.ResourceOptions(
                parent=self, protect=args.protect, depends_on=logs, ignore_changes=["identifier"]
            ),
        )
        self.host = instance.address
        self.port = instance.port
        self.database_name = instance.db_name
        self.instance_identifier = instance.identifier
        self.instance_arn = instance.arn
        self.resource_id = instance.resource_id
        self.master_secret_arn = instance.master_user_secrets.apply(lambda secrets: str(secrets[0].secret_arn))
        self.environment = {
            "DATABASE_HOST": instance.address,
            "DATABASE_PORT": instance.port.apply(str),
            "DATABASE_NAME": instance.db_name,
            "DATABASE_USER": instance.username,
        }
        if args.master_password:
            self.environment["DATABASE_PASSWORD"] = self._read_password()
        self.register_outputs(
            {
                "host": self.host,
                "port": self.port,
                "databaseName": self.database_name,
                "instanceIdentifier": self.instance_identifier,
                "instanceArn": self.instance_arn,
                "resourceId": self.resource_id,
                "masterSecretArn": self.master_secret_arn,
                "environment": self.environment,
            }
        )

    def _read_password(self) -> pulumi.Output[str]:
        """As it is now: the one who asks has to be allowed to read the secret."""
        version = aws.secretsmanager.get_secret_version_output(
            secret_id=self.master_secret_arn, opts=pulumi.InvokeOutputOptions(parent=self)
        )
        return pulumi.Output.secret(version.secret_string.apply(lambda text: str(json.loads(text)["password"])))

    def _door(self, args: DatabaseArgs) -> aws.ec2.SecurityGroup:
        """A security group that lets the named clients in, and nobody out."""
        child = pulumi.ResourceOptions(parent=self)
        group = aws.ec2.SecurityGroup(
            f"{self._name}-door", description=f"PostgreSQL of {self._name}", vpc_id=args.vpc_id, opts=child
        )
        for client, group_id in args.client_security_group_ids.items():
            aws.vpc.SecurityGroupIngressRule(
                f"{self._name}-from-{client}",
                security_group_id=group.id,
                referenced_security_group_id=group_id,
                ip_protocol="tcp",
                from_port=POSTGRESQL_PORT,
                to_port=POSTGRESQL_PORT,
                description=f"PostgreSQL from {client}",
                opts=child,
            )
        return group
