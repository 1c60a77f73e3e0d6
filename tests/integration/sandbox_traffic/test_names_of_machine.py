"""A domain from its hosted zone to an answer over verified HTTPS: Route 53, ACM, HAProxy, and the machine's own way to find names.

Not proven: that the daemon writes `/etc/hosts` itself. The file is another one here, put in its place in a mount namespace of the client's.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.acm.models import CertBundle

from slipway.sandbox.aws.certificates import check_certificate, sign_certificates
from slipway.sandbox.domain_tls import DomainAuthority
from slipway.sandbox.hosts_file import HostsFile
from slipway.sandbox.machine_names import MachineNames

PORT = 18443
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


def _change(zone: str, action: str, **record: Any) -> None:
    boto3.client("route53", "us-east-1").change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    )


def _zone(name: str, **settings: Any) -> str:
    route53 = boto3.client("route53", "us-east-1")
    return route53.create_hosted_zone(Name=name, CallerReference=f"{name} {settings}", **settings)["HostedZone"]["Id"]


def _alias(name: str, leads_to: str) -> dict[str, Any]:
    target = {"HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": leads_to, "EvaluateTargetHealth": False}
    return {"Name": name, "Type": "A", "AliasTarget": target}


def _curl(url: str, hosts: Path, *options: str) -> subprocess.CompletedProcess[str]:
    script = 'mount --bind "$0" /etc/hosts && exec curl --silent --show-error --max-time 30 --noproxy "*" "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, str(hosts), *options, url]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(os.geteuid() != 0, reason="a mount namespace needs root")
def test_domain_is_answered_over_verified_https_while_its_record_is_there(
    lab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CertBundle, "generate_cert", CertBundle.generate_cert)  # put back at the end
    monkeypatch.setattr(CertBundle, "check", check_certificate)
    authority = DomainAuthority(lab.paths)
    sign_certificates(authority)
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    shown = MachineNames(HostsFile(hosts), lab.network)

    zone, acm = _zone("dev.example.test"), boto3.client("acm", "us-east-1")
    certificate = acm.request_certificate(DomainName="orders.dev.example.test")["CertificateArn"]
    (option,) = acm.describe_certificate(CertificateArn=certificate)["Certificate"]["DomainValidationOptions"]
    record = option["ResourceRecord"]
    values = [{"Value": record["Value"]}]
    _change(zone, "CREATE", Name=record["Name"], Type=record["Type"], TTL=60, ResourceRecords=values)
    balancer, group = lab.load_balancer(), lab.target_group("blue", lab.serve("blue"))
    lab.elbv2.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTPS",
        Port=PORT,
        Certificates=[{"CertificateArn": certificate}],
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    lab.wait_healthy(group)

    url, bundle = f"https://orders.dev.example.test:{PORT}/", str(lab.paths.domain_ca_bundle)
    shown.on_api_change("route53")
    assert "Could not resolve host" in _curl(url, hosts, "--cacert", bundle).stderr
    _change(zone, "CREATE", **_alias("orders.dev.example.test", balancer["DNSName"]))
    shown.on_api_change("elbv2")
    assert "orders" not in hosts.read_text()
    shown.on_api_change("route53")
    answer = _curl(url, hosts, "--cacert", bundle)
    assert answer.stdout.startswith("blue"), answer.stderr
    assert "host: orders.dev.example.test:18443" in answer.stdout
    assert "SSL certificate problem" in _curl(url, hosts).stderr
    _change(zone, "DELETE", **_alias("orders.dev.example.test", balancer["DNSName"]))
    shown.on_api_change("route53")
    assert hosts.read_text() == "127.0.0.1 localhost\n"


def test_names_of_private_zones_and_of_other_types_are_not_the_machines(lab: Any, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    shown = MachineNames(HostsFile(hosts), lab.network)
    address = f"{lab.network}.1"
    values = [{"Value": address}]
    network = {"VPCRegion": "us-east-1", "VPCId": lab.vpc_id}
    inside = _zone("inside.test", VPC=network, HostedZoneConfig={"Comment": "", "PrivateZone": True})
    _change(inside, "CREATE", Name="db.inside.test", Type="A", TTL=5, ResourceRecords=values)
    parent, child = _zone("example.test"), _zone("dev.example.test")
    _change(child, "CREATE", Name="a.dev.example.test", Type="A", TTL=5, ResourceRecords=values)
    _change(parent, "CREATE", Name="a.dev.example.test", Type="CNAME", TTL=5, ResourceRecords=[{"Value": "x.test"}])
    _change(parent, "CREATE", Name="text.example.test", Type="TXT", TTL=5, ResourceRecords=[{"Value": f'"{address}"'}])
    _change(parent, "CREATE", Name="*.example.test", Type="A", TTL=5, ResourceRecords=values)
    _change(parent, "CREATE", Name="b.example.test", Type="CNAME", TTL=5, ResourceRecords=[{"Value": address}])
    shown.refresh()
    lines = [line for line in hosts.read_text().splitlines() if not line.startswith("#")]
    assert lines == [f"{address} a.dev.example.test", f"{address} b.example.test"]


def test_changed_record_is_taken_when_the_file_cannot_be_written(lab: Any, tmp_path: Path) -> None:
    folder = tmp_path / "hosts"
    folder.mkdir()  # which cannot be read as a file
    shown = MachineNames(HostsFile(folder), lab.network)
    shown.on_api_change("route53")
    with pytest.raises(Exception, match="cannot be shown to this machine's programs"):
        shown.refresh()
