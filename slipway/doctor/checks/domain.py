"""Whether the service's domain can have its record, and its certificate can be used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from slipway.doctor.account import Account, CannotAskError
from slipway.doctor.case import Case
from slipway.doctor.finding import Finding, State

SOON = timedelta(days=30)
MOST_TYPES = 20
"""More types of records than a name has."""
Zones = dict[str, str]
"""Names of the public hosted zones, without the dot at their end, by ID."""


def check_domain(case: Case) -> Iterator[Finding]:
    """Certificate first, then the hosted zone and what it has under the domain's name."""
    facts, account = case.project.facts, case.account
    arn, domain, zone = facts.load_balancer.certificate_arn, facts.service.domain, facts.service.zone
    if arn and not domain:
        remedy = "set slipway:service.domain to a name that it is for"
        yield Finding(State.FAILURE, "the certificate is not for the load balancer's own name", remedy)
    elif arn and domain:
        yield from _certificate(arn, domain, account, case.now)
    elif facts.load_balancer.protect and not domain:
        yield Finding(State.WARNING, "no certificate: users' requests go over plain HTTP", "set slipway:service.domain")
    elif not domain:
        yield Finding(State.OK, "no domain and no certificate are wanted: plain HTTP")
    if domain and zone:
        yield from _records(domain, zone, case)


def _records(domain: str, zone: str, case: Case) -> Iterator[Finding]:
    """The program looks up the one public zone of this name, and makes the domain's record in it."""
    account = case.account
    found = [zone_id for zone_id, name in _public_zones(account).items() if name == _plain(zone)]
    if len(found) != 1:
        yield Finding(
            State.FAILURE,
            f"{len(found) or 'no'} public hosted zones of this account are called {zone}",
            f"create {zone} in Route 53 and delegate to it, or set slipway:service.hostedZone",
        )
        return
    own = re.compile(rf"(dualstack\.)?{re.escape(case.project.name)}-[0-9a-f]{{7}}-.*")
    for record in _records_named(domain, found[0], account):
        target = _plain(record.get("AliasTarget", {}).get("DNSName", ""))
        if record["Type"] in {"A", "CNAME"} and not own.fullmatch(target):
            yield Finding(
                State.FAILURE,
                f"{domain} has a record of type {record['Type']} already, not of this environment",
                "delete it, or choose another slipway:service.domain",
            )
            return
    yield Finding(State.OK, f"{domain} gets its record in the hosted zone {zone}")


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
    if not any(_covers(name, domain) for name in names):
        yield Finding(
            State.FAILURE, f"the certificate is for {', '.join(names)}, not for {domain}", f"request one for {domain}"
        )
    if certificate["Status"] == "PENDING_VALIDATION":
        yield from _pending(certificate, account)
    else:
        yield _usable(certificate, now)


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


def _pending(certificate: dict[str, Any], account: Account) -> Iterator[Finding]:
    """ACM issues the certificate when each name is proven, by a record or by a mail."""
    zones = _public_zones(account)
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
    wanted = _plain(record["Name"])
    parents = {name: zone_id for zone_id, name in zones.items() if wanted.endswith(f".{name}")}
    if not parents:
        return False
    nearest = parents[max(parents, key=len)]
    values = {
        _plain(value["Value"])
        for each in _records_named(wanted, nearest, account)
        if each["Type"] == "CNAME"
        for value in each.get("ResourceRecords", ())
    }
    return _plain(record["Value"]) in values


def _records_named(name: str, zone_id: str, account: Account) -> list[dict[str, Any]]:
    """Of each type. Route 53 sorts by name and type: what comes after those of this name is left out."""
    found = account.ask(
        "route53",
        "list_resource_record_sets",
        HostedZoneId=zone_id,
        StartRecordName=name,
        PaginationConfig={"MaxItems": MOST_TYPES},
    )["ResourceRecordSets"]
    return [each for each in found if _plain(each["Name"]) == _plain(name)]


def _public_zones(account: Account) -> Zones:
    found = account.ask("route53", "list_hosted_zones")["HostedZones"]
    return {zone["Id"]: _plain(zone["Name"]) for zone in found if not zone.get("Config", {}).get("PrivateZone")}


def _covers(pattern: str, name: str) -> bool:
    """A star stands for one label."""
    return pattern == name or (pattern.startswith("*.") and name.partition(".")[2] == pattern[2:])


def _plain(name: str) -> str:
    return name.rstrip(".").lower()
