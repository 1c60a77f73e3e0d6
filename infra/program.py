"""One environment, in reading order. The same code for every stack: differences are in the stack files only."""

import os
from datetime import UTC, datetime

import pulumi
import pulumi_aws as aws

from components import (
    BlueGreenService,
    BlueGreenServiceArgs,
    Cluster,
    ClusterArgs,
    Compute,
    Database,
    DatabaseArgs,
    DatabaseLogin,
    Environment,
    EnvironmentArgs,
    Image,
    ImageArgs,
    LoadBalancer,
    LoadBalancerArgs,
    Monitoring,
    MonitoringArgs,
    NatGateways,
    Permission,
    PodSettings,
)
from components.blue_green_service import PASSWORD
from infra.authorities import load_ca_bundle
from infra.live_settings import tell_differences
from infra.providers import build_aws_provider, build_docker_provider
from infra.settings import load_settings
from infra.stack_file import StackSettings
from infra.wanted import load_wanted
from slipway.contract.colour_settings import ColourSettings

DEREGISTRATION_MARGIN_SECONDS = 5
"""For which a removed target is kept longer than its slowest request lasts."""


def deploy() -> None:
    """Register everything of this stack and export what delivery needs to know of it."""
    settings = load_settings()
    environment_name = pulumi.get_stack()
    service = settings.service
    name = f"{service.name}-{environment_name}"
    region = pulumi.Config("aws").require("region")

    cloud = build_aws_provider(
        region,
        account_id=settings.account_id,
        environment=environment_name,
        service=service.name,
        owner=settings.owner,
    )
    in_cloud = pulumi.ResourceOptions(providers=[cloud])
    wanted = load_wanted(
        table=settings.ledger_table,
        environment=environment_name,
        service=service.name,
        opts=pulumi.InvokeOptions(provider=cloud),
    )

    ca_bundle = load_ca_bundle(settings.database.ca_bundle, environment=environment_name, region=region)
    needs_password = any(release and release.login == PASSWORD for release in wanted.releases().values())

    zones = settings.network.zones
    environment = Environment(
        name,
        EnvironmentArgs(
            cidr=settings.network.cidr,
            zone_count=zones if isinstance(zones, int) else len(zones),
            zones=() if isinstance(zones, int) else zones,
            nat_gateways=NatGateways(settings.network.nat_gateways),
            protect=settings.database.protect,
        ),
        opts=in_cloud,
    )
    compute, nodes = settings.cluster.compute, settings.cluster.node_group
    cluster = Cluster(
        name,
        ClusterArgs(
            subnet_ids=environment.private_subnet_ids,
            key_arn=environment.key_arn,
            region=region,
            kubernetes_version=settings.cluster.version,
            compute=compute,
            instance_type=nodes and nodes.instance_type,
            minimum_nodes=nodes and nodes.minimum,
            desired_nodes=nodes and nodes.desired,
            maximum_nodes=nodes and nodes.maximum,
            disk_gib=nodes and nodes.disk_gib,
            endpoint_cidrs=settings.cluster.endpoint_cidrs,
            admin_principal_arns=[*settings.cluster.access.deploy, *settings.cluster.access.people],
            view_principal_arns=settings.cluster.access.preview,
            log_retention_days=settings.monitoring.log_retention_days,
        ),
        opts=in_cloud,
    )
    database = Database(
        name,
        DatabaseArgs(
            vpc_id=environment.vpc_id,
            subnet_ids=environment.private_subnet_ids,
            client_security_group_ids={"pods": cluster.security_group_id},
            key_arn=environment.key_arn,
            database_name=service.name.replace("-", "_"),
            engine_version=settings.database.engine_version,
            allow_major_version_upgrade=settings.database.allow_major_version_upgrade,
            apply_immediately=settings.database.apply_immediately,
            instance_class=settings.database.instance_class,
            storage_gib=settings.database.storage_gib,
            multi_az=settings.database.multi_az,
            backup_days=settings.database.backup_days,
            log_retention_days=settings.monitoring.log_retention_days,
            master_password=needs_password,
            protect=settings.database.protect,
        ),
        opts=in_cloud,
    )
    pinned = wanted.settings()
    deregistration_delay = service.slowest_request_seconds + DEREGISTRATION_MARGIN_SECONDS
    balancer = LoadBalancer(
        name,
        LoadBalancerArgs(
            vpc_id=environment.vpc_id,
            subnet_ids=environment.private_subnet_ids
            if settings.load_balancer.internal
            else environment.public_subnet_ids,
            weights={**wanted.weights},
            test_colour=wanted.test,
            pods_security_group_id=cluster.security_group_id,
            cluster_name=cluster.cluster_name if compute == Compute.AUTO else None,
            target_port=service.port,
            other_ports=wanted.ports(),
            live_cidrs=settings.load_balancer.live_cidrs,
            domain=service.domain,
            zone_id=_find_zone(service.zone, cloud),
            certificate_arn=settings.load_balancer.certificate_arn,
            internal=settings.load_balancer.internal,
            # A colour that was released with slower requests must not have them cut off.
            deregistration_delay_seconds=max(
                deregistration_delay, *(each.deregistration_delay_seconds or 0 for each in pinned.values()), 0
            ),
            protect=settings.load_balancer.protect,
            allow_http=settings.load_balancer.allow_http,
        ),
        opts=in_cloud,
    )
    pair = BlueGreenService(
        name,
        BlueGreenServiceArgs(
            service=service.name,
            cluster_name=cluster.cluster_name,
            compute=compute,
            colours=wanted.releases(),
            target_group_arns=balancer.target_group_arns,
            # As long as a release of before may run: RDS changes this password, and pods keep the old one.
            environment=database.environment if needs_password else None,
            database=DatabaseLogin(
                host=database.host,
                port=database.port,
                database_name=database.database_name,
                region=region,
                instance_arn=database.instance_arn,
                resource_id=database.resource_id,
                master_secret_arn=database.master_secret_arn,
                key_arn=environment.key_arn,
                ca_bundle=ca_bundle,
            ),
            minimum_replicas=service.replicas.minimum,
            maximum_replicas=service.replicas.maximum,
            floors=wanted.floors_at(datetime.now(UTC)),
            permissions=[Permission(actions=each.actions, resources=each.resources) for each in service.permissions],
            permissions_boundary_arn=_boundary_arn(settings),
            pod=PodSettings(
                port=service.port,
                metrics_port=service.metrics_port,
                cpu_millicores=service.cpu_millicores,
                memory_mib=service.memory_mib,
                drain_seconds=service.drain_seconds,
                deregistration_delay_seconds=deregistration_delay,
                slowest_request_seconds=service.slowest_request_seconds,
            ),
        ),
        opts=pulumi.ResourceOptions(providers=[cloud, cluster.kubernetes]),
    )
    monitoring = Monitoring(
        name,
        MonitoringArgs(
            service=service.name,
            region=region,
            load_balancer_arn=balancer.arn,
            target_group_arns=balancer.target_group_arns,
            database_identifier=database.instance_identifier,
            key_arn=environment.key_arn,
            alarms=settings.monitoring.alarms,
            running_colours=[colour for colour, release in wanted.releases().items() if release],
            subscriber_emails=settings.monitoring.subscriber_emails,
            subscriber_urls=settings.monitoring.subscriber_urls,
            minimum_free_storage_gib=settings.monitoring.minimum_free_storage_gib,
            minimum_free_memory_mib=settings.monitoring.minimum_free_memory_mib,
            maximum_connections=settings.monitoring.maximum_connections,
        ),
        opts=in_cloud,
    )
    image = _build_image(settings, cloud)
    # No secrets: what is released now logs in with tokens.
    present = pair.pod_template.apply(
        lambda template: ColourSettings(template=template, deregistration_delay_seconds=deregistration_delay)
    )
    tell_differences(environment_name, pinned.get(wanted.live or ""), present)

    pulumi.export("url", balancer.url)
    pulumi.export(
        "delivery",
        {
            "environment": environment_name,
            "service": service.name,
            "region": region,
            "ledgerTable": settings.ledger_table,
            "cluster": {
                "name": cluster.cluster_name,
                "namespace": pair.namespace,
                "maximumNodes": nodes.maximum if nodes else None,
            },
            "replicas": {"minimum": service.replicas.minimum, "maximum": service.replicas.maximum},
            "loadBalancer": {
                "arn": balancer.arn,
                "dnsName": balancer.dns_name,
                "url": balancer.url,
                "listenerArn": balancer.listener_arn,
                "testRuleArn": balancer.test_rule_arn,
                "targetGroups": balancer.target_group_arns,
            },
            "deployments": pair.deployment_names,
            "colourSettings": present.apply(lambda settings: settings.model_dump(by_alias=True)),
            "databaseSecretName": pair.secret_name,
            "databaseLogin": pair.database_login,
            "image": {"repository": image.repository_url, "reference": image.reference} if image else None,
            "notifications": {
                "webhookUrl": pulumi.Config("slipway").get_secret("webhookUrl"),
                "topicArn": monitoring.topic_arn,
            },
            "rollout": settings.rollout.model_dump(by_alias=True),
            "supplyChain": settings.supply_chain.model_dump(mode="json", by_alias=True),
        },
    )


def _find_zone(name: str, cloud: aws.Provider) -> pulumi.Output[str] | None:
    """ID of the hosted zone, which outlives environments and is made by hand; None where DNS is served elsewhere."""
    if not name:
        return None
    zone = aws.route53.get_zone_output(name=name, private_zone=False, opts=pulumi.InvokeOptions(provider=cloud))
    return zone.zone_id


def _build_image(settings: StackSettings, cloud: aws.Provider) -> Image | None:
    """The service's image, where this stack builds it: in the organisation's registry, which is there before."""
    if not settings.image.context:
        return None
    # Relative to where the program runs: an absolute path would differ from machine to machine and show as a change.
    context = os.path.relpath(os.path.join(pulumi.get_root_directory(), settings.image.context))  # noqa: PTH118
    repository = aws.ecr.get_repository_output(
        name=settings.service.name,
        registry_id=settings.image.registry_account_id or settings.account_id,
        opts=pulumi.InvokeOutputOptions(provider=cloud),
    )
    return Image(
        settings.service.name,
        ImageArgs(
            repository_url=repository.repository_url,
            registry_id=repository.registry_id,
            context=context,
            base_image=settings.image.base_image,
        ),
        opts=pulumi.ResourceOptions(providers=[cloud, build_docker_provider()]),
    )


def _boundary_arn(settings: StackSettings) -> str | None:
    boundary = settings.service.permissions_boundary
    return f"arn:aws:iam::{settings.account_id}:policy/{boundary}" if boundary else None
