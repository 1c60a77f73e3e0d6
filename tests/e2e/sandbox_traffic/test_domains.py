"""A domain on this machine's sandbox: found by the machine's own resolver, and answered over HTTPS that a client verifies."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

PORT = 18443


def _change(route53: Any, zone: str, action: str, record: dict[str, Any]) -> None:
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)


def test_domain_is_found_and_verified_until_its_record_goes(
    aws: Callable[..., Any], environment: dict[str, str]
) -> None:
    route53, acm, elbv2 = aws("route53"), aws("acm"), aws("elbv2")
    name = f"e2e-{uuid4().hex[:6]}"
    domain = f"orders.{name}.test"
    zone = route53.create_hosted_zone(Name=f"{name}.test", CallerReference=name)["HostedZone"]["Id"]
    certificate = acm.request_certificate(DomainName=domain, ValidationMethod="DNS")["CertificateArn"]
    (option,) = acm.describe_certificate(CertificateArn=certificate)["Certificate"]["DomainValidationOptions"]
    asked = option["ResourceRecord"]
    values = [{"Value": asked["Value"]}]
    validation = {"Name": asked["Name"], "Type": asked["Type"], "TTL": 60, "ResourceRecords": values}
    _change(route53, zone, "CREATE", validation)
    subnets = [subnet["SubnetId"] for subnet in aws("ec2").describe_subnets()["Subnets"][:2]]
    balancer = elbv2.create_load_balancer(Name=name, Subnets=subnets)["LoadBalancers"][0]
    target = {"HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": balancer["DNSName"], "EvaluateTargetHealth": False}
    alias = {"Name": domain, "Type": "A", "AliasTarget": target}
    answer = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": name}
    try:
        elbv2.create_listener(
            LoadBalancerArn=balancer["LoadBalancerArn"],
            Protocol="HTTPS",
            Port=PORT,
            Certificates=[{"CertificateArn": certificate}],
            DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": answer}],
        )
        with pytest.raises(socket.gaierror):
            socket.gethostbyname(domain)
        _change(route53, zone, "CREATE", alias)
        assert socket.gethostbyname(domain) == balancer["DNSName"]
        url = f"https://{domain}:{PORT}/"
        trust = ssl.create_default_context(cafile=environment["SLIPWAY_CA_BUNDLE"])
        assert httpx.get(url, verify=trust, trust_env=False).text == name
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(url, trust_env=False)
        _change(route53, zone, "DELETE", alias)
        assert domain not in Path("/etc/hosts").read_text()
    finally:
        elbv2.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])
        acm.delete_certificate(CertificateArn=certificate)
        for record in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]:
            if record["Type"] in {"A", "CNAME"}:
                _change(route53, zone, "DELETE", record)
        route53.delete_hosted_zone(Id=zone)
