"""Launch templates and gateway endpoints over their life."""

from __future__ import annotations

from typing import Any

from provider_kit import changed, checked, client, context, created, gone, imported, made, refused

from slipway.sandbox.providers.aws import AwsProvider

TEMPLATE = context("aws:ec2/launchTemplate:LaunchTemplate", "nodes")
ENDPOINT = context("aws:ec2/vpcEndpoint:VpcEndpoint", "s3")


def disks(size: int) -> list[dict[str, Any]]:
    ebs = {"encrypted": "true", "volumeSize": size, "volumeType": "gp3"}
    return [{"deviceName": "/dev/xvda", "ebs": ebs}]


def test_launch_template_has_a_version_for_every_change(provider: AwsProvider) -> None:
    metadata = {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1}
    inputs = checked(provider, TEMPLATE, blockDeviceMappings=disks(20), metadataOptions=metadata)
    was = created(provider, TEMPLATE, inputs)
    assert was.outputs["latestVersion"] == 1

    news = checked(provider, TEMPLATE, name=inputs["name"], blockDeviceMappings=disks(40), metadataOptions=metadata)
    outputs = changed(provider, TEMPLATE, was, inputs, news)
    assert (outputs["latestVersion"], outputs["defaultVersion"]) == (2, 1)
    imported(provider, TEMPLATE, was.id, news)
    live = client(provider, "ec2").describe_launch_template_versions(LaunchTemplateId=was.id, Versions=["2"])
    data = live["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert data["BlockDeviceMappings"][0]["Ebs"] == {"Encrypted": True, "VolumeSize": 40, "VolumeType": "gp3"}
    assert gone(provider, TEMPLATE, was, news)


def test_gateway_endpoint_follows_its_route_tables(provider: AwsProvider) -> None:
    vpc = made(provider, "aws:ec2/vpc:Vpc", "endpoints", cidrBlock="10.78.0.0/16")
    tables = [made(provider, "aws:ec2/routeTable:RouteTable", f"t{n}", vpcId=vpc.id).id for n in range(2)]
    program = {"vpcId": vpc.id, "serviceName": "com.amazonaws.us-east-1.s3"}
    inputs = checked(provider, ENDPOINT, **program, routeTableIds=tables[:1])
    was = created(provider, ENDPOINT, inputs)
    news = checked(provider, ENDPOINT, **program, routeTableIds=tables)
    assert changed(provider, ENDPOINT, was, inputs, news)["routeTableIds"] == tables
    # Another one: moto cannot delete an endpoint that got a table later, and says that the table's route is not there.
    assert gone(provider, ENDPOINT, created(provider, ENDPOINT, inputs), inputs)
    assert "Interface" in refused(provider, ENDPOINT.type, **program, vpcEndpointType="Interface")
