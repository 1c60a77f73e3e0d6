"""To whom a name of DNS belongs, where several accounts have zones."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.route53.models import Route53Backend, route53_backends

from slipway.sandbox.aws.zones import PublicZone, install_zones, owner_of, public_zones

OWN, OTHER, THIRD = "123456789012", "222222222222", "333333333333"


def zone(name: str, account: str, order: int, *delegated: str) -> PublicZone:
    return PublicZone(name=name, account=account, order=order, delegated=frozenset(delegated))


@pytest.mark.parametrize(
    ("zones", "owner"),
    [
        ([], ""),
        ([zone("s.example.test", OTHER, 1)], ""),
        ([zone("example.test", OWN, 1), zone("orders.example.test", OTHER, 2)], OWN),
        ([zone("orders.example.test", OWN, 1), zone("orders.example.test", OTHER, 2)], OWN),
        ([zone("orders.example.test", OTHER, 1), zone("example.test", OWN, 2)], OTHER),
        ([zone("example.test", OTHER, 0), zone("example.test", OWN, 0)], OWN),
        ([zone("example.test", OWN, 1, "orders.example.test"), zone("orders.example.test", OTHER, 2)], OTHER),
        ([zone("example.test", OWN, 1, "ders.example.test"), zone("orders.example.test", OTHER, 2)], OWN),
        ([zone("example.test", OWN, 1, "orders.example.test"), zone("example.test", OTHER, 2)], ""),
        (
            [
                zone("example.test", OWN, 1, "orders.example.test"),
                zone("orders.example.test", OTHER, 2),
                zone("orders.example.test", THIRD, 3),
            ],
            OTHER,
        ),
    ],
)
def test_name_belongs_to_the_first_zone_that_covers_it_or_is_delegated(zones: list[PublicZone], owner: str) -> None:
    assert owner_of("orders.example.test", zones) == owner


@pytest.fixture
def route53(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("create_hosted_zone", "change_resource_record_sets"):
        monkeypatch.setattr(Route53Backend, name, getattr(Route53Backend, name))  # put back at the end
    install_zones()
    with mock_aws():
        yield boto3.client("route53", "us-east-1")


def put(route53: Any, zone: str, name: str, kind: str, value: str) -> None:
    record = {"Name": name, "Type": kind, "TTL": 1, "ResourceRecords": [{"Value": value}]}
    changes = [{"Action": "UPSERT", "ResourceRecordSet": record}]
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})


def test_zone_takes_no_name_that_only_ends_alike(route53: Any) -> None:
    made = route53.create_hosted_zone(Name="s.example.test", CallerReference="1")["HostedZone"]["Id"]
    with pytest.raises(ClientError, match="not permitted in zone"):
        put(route53, made, "payments.example.test", "A", "127.0.10.1")
    put(route53, made, "a.s.example.test.", "A", "127.0.10.1")
    put(route53, made, "s.example.test", "A", "127.0.10.1")


def test_another_accounts_zone_publishes_what_is_delegated_to_it(route53: Any) -> None:
    own = route53.create_hosted_zone(Name="example.test", CallerReference="1")["HostedZone"]["Id"]
    backend = route53_backends[OTHER]["aws"]
    theirs = backend.create_hosted_zone("orders.example.test.", private_zone=False)
    theirs.add_rrset({"Name": "orders.example.test.", "Type": "A", "ResourceRecords": ["127.0.10.66"]})

    def published() -> set[str]:
        zones = public_zones()
        return {
            f"{each.account} {record.name}" for each in zones for record in each.published(zones) if record.type == "A"
        }

    put(route53, own, "orders.example.test", "A", "127.0.10.1")
    assert published() == {f"{OWN} orders.example.test."}
    put(route53, own, "orders.example.test", "NS", "ns-1.example.test")
    assert published() == {f"{OTHER} orders.example.test."}
