"""Whether the load balancer's certificate can be used, and its domain is in DNS that this account serves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from slipway.doctor.account import Account, CannotAskError
from slipway.doctor.case import Case
from slipway.doctor.finding import Finding, State

SOON = timedelta(days=30)
Zones = dict[str, str]
"""IDs of the public hosted zones, by their name without the dot at its end."""


def check_domain(case: Case) -> Iterator[Finding]:
    """Certificate first, then the hosted zone of each name."""
    project, account, now = case.project, case.account, case.now
    arn, domain = project.facts.load_balancer.certificate_arn, project.facts.service.domain
    if arn:
        yield from _certificate(arn, domain, account, now)
    elif domain:
        yield _zone_of(domain, _public_zones(account), missing=State.FAILURE)
    elif project.facts.load_balancer.protect:
        yield Finding(
            State.WARNING,
            "no certificate: users' requests go over plain HTTP",
            "set slipway:loadBalancer.certificateArn",
        )
    else:
        yield Finding(State.OK, "no certificate is wanted: plain HTTP")


def _certificate(arn: str, domain: str, account: Account, now: datetime) -> Iterator[Finding]:
    region = f"{arn}::::".split(":")[3]
    if region != account.region:
        yield Finding(
            State.FAILURE,
            f"certificate {arn} is not in {account.region}",
            f"request one in {account.region}: a load balancer takes no other",
        )
        return
    try:
        certificate = account.ask("acm", "describe_certificate", CertificateArn=arn)["Certificate"]
    except CannotAskError as error:
        if error.code != "ResourceNotFoundException":
            raise
        yield Finding(State.FAILURE, f"certificate {arn} does not exist", "correct slipway:loadBalancer.certificateArn")
        return
    names: list[str] = certificate.get("SubjectAlternativeNames") or [certificate["DomainName"]]
    if domain and not any(_covers(name, domain) for name in names):
        yield Finding(
            State.FAILURE, f"the certificate is for {', '.join(names)}, not for {domain}", f"request one for {domain}"
        )
    zones = _public_zones(account)
    if certificate["Status"] == "PENDING_VALIDATION":
        yield from _pending(certificate, zones, account)
    else:
        yield _usable(certificate, now)
    for name in [domain] if domain else sorted({name.removeprefix("*.") for name in names}):
        yield _zone_of(name, zones, missing=State.WARNING)


def _usable(certificate: dict[str, Any], now: datetime) -> Finding:
    status, end = certificate["Status"], certificate.get("NotAfter")
    what = f"certificate for {certificate['DomainName']}"
    if status != "ISSUED" or (end and end <= now):
        return Finding(State.FAILURE, f"{what}: {status.lower().replace('_', ' ')}", "request or import another one")
    # ACM renews those that it made itself, 60 days before their end.
    if end and end - now < SOON:
        remedy = (
            "import its successor" if certificate.get("Type") == "IMPORTED" else "look up in ACM why it is not renewed"
        )
        return Finding(State.WARNING, f"{what} ends on {end:%Y-%m-%d}", remedy)
    return Finding(State.OK, f"{what} is issued" + (f", until {end:%Y-%m-%d}" if end else ""))


def _pending(certificate: dict[str, Any], zones: Zones, account: Account) -> Iterator[Finding]:
    """ACM issues the certificate when each name is proven, by a record or by a mail."""
    for option in certificate.get("DomainValidationOptions", ()):
        what, record = f"certificate for {option['DomainName']} waits for validation", option.get("ResourceRecord")
        if option.get("ValidationStatus") == "SUCCESS":
            continue
        if record is None:
            yield Finding(State.FAILURE, what, "answer ACM's mail, or request a certificate that DNS validates")
        elif _is_published(record, zones, account):
            yield Finding(
                State.WARNING, f"{what}; its record is there", "wait until ACM has seen it: minutes, seldom hours"
            )
        else:
            yield Finding(State.FAILURE, what, f"create the record {record['Name']} CNAME {record['Value']}")


def _is_published(record: dict[str, str], zones: Zones, account: Account) -> bool:
    zone = _find_zone(record["Name"], zones)
    if zone is None:
        return False
    found = account.ask(
        "route53",
        "list_resource_record_sets",
        HostedZoneId=zones[zone],
        StartRecordName=record["Name"],
        StartRecordType="CNAME",
        PaginationConfig={"MaxItems": 1},
    )["ResourceRecordSets"]
    values = {
        _plain(value["Value"])
        for each in found
        if _plain(each["Name"]) == _plain(record["Name"]) and each["Type"] == "CNAME"
        for value in each.get("ResourceRecords", ())
    }
    return _plain(record["Value"]) in values


def _public_zones(account: Account) -> Zones:
    found = account.ask("route53", "list_hosted_zones")["HostedZones"]
    return {_plain(zone["Name"]): zone["Id"] for zone in found if not zone.get("Config", {}).get("PrivateZone")}


def _zone_of(name: str, zones: Zones, *, missing: State) -> Finding:
    zone = _find_zone(name, zones)
    if zone:
        return Finding(State.OK, f"{name} is in the hosted zone {zone}")
    return Finding(
        missing,
        f"no public hosted zone of this account has {name}",
        "create the zone and delegate to it, or the records where its DNS is served",
    )


def _find_zone(name: str, zones: Zones) -> str | None:
    """The nearest parent."""
    plain = _plain(name)
    return max((zone for zone in zones if plain == zone or plain.endswith(f".{zone}")), key=len, default=None)


def _covers(pattern: str, name: str) -> bool:
    """A star stands for one label."""
    return pattern == name or (pattern.startswith("*.") and name.partition(".")[2] == pattern[2:])


def _plain(name: str) -> str:
    return name.rstrip(".").lower()
