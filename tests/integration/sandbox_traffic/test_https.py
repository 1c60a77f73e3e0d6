"""HTTPS listeners with certificates from ACM. Not proven: that browsers trust them; they are told to, by the authority's certificate."""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.acm.models import CertBundle, acm_backends

from slipway.sandbox.aws.certificates import check_certificate, sign_certificates
from slipway.sandbox.domain_tls import DomainAuthority
from slipway.sandbox.traffic.certificates import load_certificate

PORT = 18443
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


def _create(lab: Any, balancer: dict[str, Any], group: str, certificates: list[dict[str, str]]) -> None:
    lab.elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTPS",
        Port=PORT,
        Certificates=certificates,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )


def _validate(certificate: str) -> None:
    """Put the records that ACM asks for into DNS."""
    asked = boto3.client("acm", "us-east-1").describe_certificate(CertificateArn=certificate)["Certificate"]
    route53 = boto3.client("route53", "us-east-1")
    zone = route53.create_hosted_zone(Name="shop.example", CallerReference=certificate)["HostedZone"]["Id"]
    for option in asked["DomainValidationOptions"]:
        record = option["ResourceRecord"]
        values = [{"Value": record["Value"]}]
        wanted = {"Name": record["Name"], "Type": record["Type"], "TTL": 60, "ResourceRecords": values}
        batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": wanted}]}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)


def test_https_listener_serves_with_its_certificate(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CertBundle, "check", check_certificate)
    certificate = boto3.client("acm", "us-east-1").request_certificate(DomainName="shop.example")["CertificateArn"]
    balancer = lab.load_balancer()
    group = lab.target_group("blue", lab.serve("blue"))
    with pytest.raises(ClientError, match="is not issued yet"):
        _create(lab, balancer, group, [{"CertificateArn": certificate}])
    _validate(certificate)
    _create(lab, balancer, group, [{"CertificateArn": certificate}])
    lab.wait_healthy(group)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(balancer["DNSName"], PORT, timeout=60, context=context)
    connection.request("GET", "/")
    body = connection.getresponse().read().decode()
    served = ssl.DER_cert_to_PEM_cert(connection.sock.getpeercert(binary_form=True))
    connection.close()
    assert body.startswith("blue")
    assert "x-forwarded-proto: https" in body
    wanted = boto3.client("acm", "us-east-1").get_certificate(CertificateArn=certificate)["Certificate"]
    assert served.strip() == wanted.strip()
    for path in (lab.paths.sandbox / "traffic" / "certificates").iterdir():
        assert path.stat().st_mode & 0o077 == 0


def test_https_listener_chooses_the_certificate_by_the_name_that_a_client_asks_for(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CertBundle, "generate_cert", CertBundle.generate_cert)  # put back at the end
    monkeypatch.setattr(CertBundle, "check", check_certificate)
    authority = DomainAuthority(lab.paths)
    sign_certificates(authority)
    acm = boto3.client("acm", "us-east-1")
    first = acm.request_certificate(DomainName="shop.example")["CertificateArn"]
    second = acm.request_certificate(DomainName="tea.shop.example", SubjectAlternativeNames=["*.tea.shop.example"])
    for arn in (first, second["CertificateArn"]):
        _validate(arn)
    balancer = lab.load_balancer()
    group = lab.target_group("blue", lab.serve("blue"))
    _create(lab, balancer, group, [{"CertificateArn": first}])
    listener = lab.elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"][0]["ListenerArn"]
    lab.elbv2.add_listener_certificates(
        ListenerArn=listener, Certificates=[{"CertificateArn": second["CertificateArn"]}]
    )
    lab.wait_healthy(group)
    context = ssl.create_default_context(cadata=authority.certificate.decode())

    def served(name: str) -> list[str]:
        with (
            socket.create_connection((balancer["DNSName"], PORT), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            return [value for _, value in secure.getpeercert()["subjectAltName"]]

    assert served("shop.example") == ["shop.example"]
    assert served("tea.shop.example") == served("green.tea.shop.example") == ["tea.shop.example", "*.tea.shop.example"]
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        served("other.example")  # which gets the default certificate


def test_refuses_an_https_listener_when_its_certificate_is_unknown_or_missing(lab: Any) -> None:
    balancer = lab.load_balancer()
    group = lab.target_group("blue")
    unknown = "arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000000"
    with pytest.raises(ClientError, match="CertificateNotFound"):
        _create(lab, balancer, group, [{"CertificateArn": unknown}])
    with pytest.raises(ClientError, match="A certificate must be specified"):
        _create(lab, balancer, group, [])


def test_listener_takes_issued_certificates_of_its_account_and_region_only(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AddListenerCertificates took any text, and another account's certificate was served with its key."""
    monkeypatch.setattr(CertBundle, "generate_cert", CertBundle.generate_cert)  # put back at the end
    monkeypatch.setattr(CertBundle, "check", check_certificate)
    sign_certificates(DomainAuthority(lab.paths))
    first, pending = (
        boto3.client("acm", "us-east-1").request_certificate(DomainName=name)["CertificateArn"]
        for name in ("shop.example", "tea.shop.example")
    )
    _validate(first)
    abroad = boto3.client("acm", "eu-west-1").request_certificate(DomainName="eu.shop.example")["CertificateArn"]
    theirs = acm_backends["222222222222"]["us-east-1"].request_certificate("their.example", "", [], [])
    balancer = lab.load_balancer()
    _create(lab, balancer, lab.target_group("blue"), [{"CertificateArn": first}])
    listener = lab.elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"][0]["ListenerArn"]
    for arn, fault in (
        (theirs, "CertificateNotFound"),
        (abroad, "CertificateNotFound"),
        ("anything", "CertificateNotFound"),
        (pending, "is not issued yet"),
    ):
        for call in (lab.elbv2.add_listener_certificates, lab.elbv2.modify_listener):
            with pytest.raises(ClientError, match=fault):
                call(ListenerArn=listener, Certificates=[{"CertificateArn": arn}])
    assert not load_certificate(theirs, listener)
    assert load_certificate(first, listener)
