"""Hosted zones, records and certificates over their life, and how they join to an HTTPS listener."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from provider_kit import changed, checked, client, context, created, gone, imported, made, next_run, refused

from slipway.providers.provider import CallContext, DiffChanges, ProviderError
from slipway.providers.values import Secret, unwrap_secrets
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.providers.aws import AwsProvider
from slipway.sandbox.providers.framework.journal import Journal, Notes

ZONE = "aws:route53/zone:Zone"
RECORD = "aws:route53/record:Record"
CERTIFICATE = "aws:acm/certificate:Certificate"
VALIDATION = "aws:acm/certificateValidation:CertificateValidation"


def test_zone_lives_its_life(provider: AwsProvider) -> None:
    ctx = context(ZONE, "zone")
    inputs = checked(provider, ctx, name="zone.example", tags={"team": "shop"})
    zone = created(provider, ctx, inputs)
    assert zone.outputs["arn"] == f"arn:aws:route53:::hostedzone/{zone.id}"
    assert len(zone.outputs["nameServers"]) == 4
    imported(provider, ctx, zone.id, inputs)
    news = checked(provider, ctx, name="zone.example", comment="the shop's", forceDestroy=True)
    changed(provider, ctx, zone, inputs, news)
    made(provider, RECORD, "left", zoneId=zone.id, name="left", type="A", ttl=60, records=["192.0.2.1"])
    with pytest.raises(ProviderError, match="HostedZoneNotEmpty"):
        provider.delete(ctx, zone.id, inputs, zone.outputs)
    assert gone(provider, ctx, zone, news)


def test_private_zone_answers_its_networks_only(provider: AwsProvider) -> None:
    first, second = (
        made(provider, "aws:ec2/vpc:Vpc", f"of-zone-{index}", cidrBlock=f"10.7{index}.0.0/16").id for index in (8, 9)
    )
    ctx = context(ZONE, "inside")
    inputs = checked(provider, ctx, name="inside.example", vpcs=[{"vpcId": first}])
    zone = created(provider, ctx, inputs)
    news = checked(provider, ctx, name="inside.example", vpcs=[{"vpcId": first}, {"vpcId": second}])
    outputs = changed(provider, ctx, zone, inputs, news)
    assert {vpc["vpcId"] for vpc in outputs["vpcs"]} == {first, second}


def test_zone_of_a_killed_run_is_taken_up(provider: AwsProvider) -> None:
    began = made(provider, ZONE, "begun", name="begun.example")
    ctx, journal = context(ZONE, "again"), Journal()
    route53 = client(provider, "route53")
    tags = [{"Key": "slipway:urn", "Value": ctx.urn}]
    other = route53.create_hosted_zone(Name="begun.example", CallerReference="killed")["HostedZone"]["Id"]
    route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=other.rpartition("/")[2], AddTags=tags)
    with Notes(journal).creating(ctx.urn, ZONE, ""):
        pass  # and killed
    run = next_run(provider, journal)
    assert run.create(ctx, checked(run, ctx, name="begun.example")).id == other.rpartition("/")[2] != began.id


def test_record_of_somebody_else_is_refused_by_every_run(provider: AwsProvider) -> None:
    zone = made(provider, ZONE, "foreign", name="foreign.example").id
    record = {"Name": "www.foreign.example", "Type": "A", "TTL": 5, "ResourceRecords": [{"Value": "192.0.2.9"}]}
    client(provider, "route53").change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    )
    journal, program = Journal(), {"zoneId": zone, "name": "www", "type": "A", "ttl": 60, "records": ["192.0.2.1"]}
    for _ in range(2):
        run = next_run(provider, journal)
        with pytest.raises(ProviderError, match="already exists"):
            made(run, RECORD, "www", **program)


RECORDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "A", "ttl": 60, "records": ["192.0.2.1", "192.0.2.2"]}, {"ttl": 30, "records": ["192.0.2.3"]}),
    ({"type": "TXT", "ttl": 60, "records": ["v=spf1 -all"]}, {"records": ['"in quotes"']}),
    (
        {"type": "A", "aliases": [{"name": "lb.example", "zoneId": "Z35SXDOTRQ7X7K", "evaluateTargetHealth": True}]},
        {"aliases": [{"name": "lb.example", "zoneId": "Z35SXDOTRQ7X7K", "evaluateTargetHealth": False}]},
    ),
    (
        {"type": "CNAME", "ttl": 5, "records": ["blue.example"], "setIdentifier": "blue"}
        | {"weightedRoutingPolicies": [{"weight": 90}]},
        {"weightedRoutingPolicies": [{"weight": 10}]},
    ),
]


@pytest.mark.parametrize(("first", "second"), RECORDS, ids=["simple", "text", "alias", "weighted"])
def test_record_lives_its_life(provider: AwsProvider, first: dict[str, Any], second: dict[str, Any]) -> None:
    kind = "-".join(sorted(first)).lower() + first["type"].lower()
    zone = made(provider, ZONE, f"of-{kind}", name=f"{kind}.example")
    ctx = context(RECORD, "www")
    inputs = checked(provider, ctx, zoneId=zone.id, name="www", **first)
    record = created(provider, ctx, inputs)
    assert record.outputs["fqdn"] == f"www.{kind}.example"
    full = checked(provider, ctx, zoneId=zone.id, name=record.outputs["fqdn"], **first)
    imported(provider, ctx, record.id, full)
    changed(provider, ctx, record, inputs, checked(provider, ctx, zoneId=zone.id, name="www", **first | second))
    renamed = checked(provider, ctx, zoneId=zone.id, name="shop", **first)
    assert provider.diff(ctx, record.id, inputs, record.outputs, renamed).replaces == ("name",)
    assert gone(provider, ctx, record, inputs)


def test_record_that_somebody_else_made_is_not_written_over_unasked(provider: AwsProvider) -> None:
    zone = made(provider, ZONE, "shared", name="shared.example")
    mine = {"zoneId": zone.id, "name": "*.shared.example", "type": "A", "ttl": 60}
    made(provider, RECORD, "first", **mine, records=["192.0.2.1"])
    with pytest.raises(ProviderError, match=r"\*\.shared\.example of type A already exists; import it"):
        made(provider, RECORD, "second", **mine, records=["192.0.2.2"])
    taken = made(provider, RECORD, "second", **mine, records=["192.0.2.2"], allowOverwrite=True)
    assert taken.outputs["records"] == ["192.0.2.2"]


def test_certificate_is_issued_when_its_records_are_in_dns_and_not_before(provider: AwsProvider) -> None:
    zone = made(provider, ZONE, "secure", name="secure.example")
    ctx = context(CERTIFICATE, "secure")
    inputs = checked(
        provider, ctx, domainName="secure.example", subjectAlternativeNames=["*.secure.example"], validationMethod="DNS"
    )
    certificate = created(provider, ctx, inputs)
    assert certificate.outputs["status"] == "PENDING_VALIDATION"
    waiting = context(VALIDATION, "secure")
    impatient = CallContext(urn=waiting.urn, type=VALIDATION, name="secure", timeout_seconds=0.2)
    with pytest.raises(ProviderError, match="are its validation records in DNS"):
        provider.create(impatient, checked(provider, waiting, certificateArn=certificate.id))
    wrong = checked(provider, waiting, certificateArn=certificate.id, validationRecordFqdns=["x.secure.example"])
    with pytest.raises(ProviderError, match=r"missing validation records .*_[0-9a-f]+\.secure\.example"):
        provider.create(waiting, wrong)

    options = {each["resourceRecordName"]: each for each in certificate.outputs["domainValidationOptions"]}
    fqdns = [
        made(
            provider, RECORD, name, zoneId=zone.id, name=name, type=each["resourceRecordType"], ttl=60,
            records=[each["resourceRecordValue"]],
        ).outputs["fqdn"]
        for name, each in options.items()
    ]  # fmt: skip
    created(provider, waiting, checked(provider, waiting, certificateArn=certificate.id, validationRecordFqdns=fqdns))
    assert provider.read(ctx, certificate.id, inputs, certificate.outputs).outputs["status"] == "ISSUED"
    tagged = checked(
        provider, ctx, domainName="secure.example", subjectAlternativeNames=["*.secure.example"],
        validationMethod="DNS", tags={"team": "shop"},
    )  # fmt: skip
    assert provider.update(ctx, certificate.id, inputs, certificate.outputs, tagged)["tags"] == {"team": "shop"}
    assert gone(provider, ctx, certificate, inputs)


def test_certificate_is_signed_by_the_authority_that_the_sandbox_names(
    fresh_provider: AwsProvider, tmp_path: Path
) -> None:
    names: dict[str, Any] = {"domainName": "tls.example", "subjectAlternativeNames": ["*.tls.example"]}
    arn = made(fresh_provider, CERTIFICATE, "tls", **names, validationMethod="DNS").id
    found = client(fresh_provider, "acm").get_certificate(CertificateArn=arn)
    authority = SandboxPaths(tmp_path).domain_ca_bundle
    assert found["CertificateChain"].strip() == authority.read_text().strip()
    leaf = x509.load_pem_x509_certificate(found["Certificate"].encode())
    builder = PolicyBuilder().store(Store([x509.load_pem_x509_certificate(authority.read_bytes())]))
    for name in ("tls.example", "any.tls.example"):
        assert builder.build_server_verifier(x509.DNSName(name)).verify(leaf, [])
    with pytest.raises(VerificationError):
        builder.build_server_verifier(x509.DNSName("two.more.tls.example")).verify(leaf, [])
    for file in authority.parent.iterdir():
        assert file.stat().st_mode & 0o077 == 0


def test_certificate_of_ones_own_is_imported_and_its_key_never_shown(provider: AwsProvider, tmp_path: Path) -> None:
    def pair(name: str) -> dict[str, Any]:
        key, certificate = tmp_path / f"{name}.key", tmp_path / f"{name}.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
             "-addext", f"subjectAltName=DNS:{name}", "-keyout", key, "-out", certificate],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        return {"privateKey": key.read_text(), "certificateBody": certificate.read_text()}

    ctx, first = context(CERTIFICATE, "own"), pair("own.example")
    inputs = checked(provider, ctx, **first)
    certificate = provider.create(ctx, inputs)
    assert isinstance(certificate.outputs["privateKey"], Secret)
    assert certificate.outputs["domainName"] == "own.example"
    assert (certificate.outputs["status"], certificate.outputs["type"]) == ("ISSUED", "IMPORTED")
    found = provider.read(ctx, certificate.id, inputs, certificate.outputs)
    assert provider.diff(ctx, certificate.id, found.inputs or {}, found.outputs, inputs).changes is DiffChanges.NONE
    news = checked(provider, ctx, **pair("new.example"))
    assert provider.diff(ctx, certificate.id, inputs, certificate.outputs, news).replaces == ()
    outputs = provider.update(ctx, certificate.id, inputs, certificate.outputs, news)
    assert (outputs["id"], outputs["domainName"]) == (certificate.id, "new.example")
    assert unwrap_secrets(outputs["privateKey"]) == news["privateKey"]


def test_zone_and_certificate_are_looked_up(provider: AwsProvider) -> None:
    def ask(token: str, **args: Any) -> dict[str, Any]:
        return provider.invoke(token, args, preview=False).outputs

    zone = made(provider, ZONE, "found", name="found.example")
    vpc = made(provider, "aws:ec2/vpc:Vpc", "of-found", cidrBlock="10.81.0.0/16").id
    inside = made(provider, ZONE, "found-inside", name="found.example", vpcs=[{"vpcId": vpc}])
    assert ask("aws:route53/getZone:getZone", name="found.example.")["nameServers"] == zone.outputs["nameServers"]
    assert ask("aws:route53/getZone:getZone", name="found.example", privateZone=True)["zoneId"] == inside.id
    with pytest.raises(ProviderError, match=r"no matching Route 53 Hosted Zone lost\.example"):
        ask("aws:route53/getZone:getZone", name="lost.example")

    first, second = (
        made(provider, CERTIFICATE, key, domainName="found.example", validationMethod="DNS") for key in ("one", "two")
    )
    token = "aws:acm/getCertificate:getCertificate"
    which: dict[str, Any] = {"domain": "found.example"}
    with pytest.raises(ProviderError, match="no matching ACM Certificate"):
        ask(token, **which)  # not issued
    which["statuses"] = ["PENDING_VALIDATION"]
    with pytest.raises(ProviderError, match="2 matching ACM Certificate"):
        ask(token, **which)
    assert ask(token, **which, mostRecent=True)["arn"] in {first.id, second.id}


def test_what_cannot_be_had_is_refused(provider: AwsProvider) -> None:
    assert "certificateBody is required" in refused(provider, CERTIFICATE, privateKey="k")
    assert "exactly one of domainName, privateKey" in refused(provider, CERTIFICATE, validationMethod="DNS")
    assert "nobody answers mail" in refused(provider, CERTIFICATE, domainName="a.example", validationMethod="EMAIL")
    assert "only RSA_2048" in refused(provider, CERTIFICATE, domainName="a.example", keyAlgorithm="EC_prime256v1")
    assert "ttl is required" in refused(provider, RECORD, zoneId="Z", name="a", type="A", records=["192.0.2.1"])
    assert "one of records and aliases" in refused(provider, RECORD, zoneId="Z", name="a", type="A")
    weighted = {"ttl": 5, "records": ["192.0.2.1"], "weightedRoutingPolicies": [{"weight": 1}]}
    assert "setIdentifier is required" in refused(provider, RECORD, zoneId="Z", name="a", type="A", **weighted)
