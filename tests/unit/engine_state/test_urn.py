"""Resource names."""

from __future__ import annotations

import pytest

from slipway.engine.urn import (
    Urn,
    build_urn,
    is_provider_type,
    package_of,
    parse_provider_reference,
    parse_urn,
    type_of,
)

STACK = "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev"


@pytest.mark.parametrize("parent", ["", STACK])
def test_resource_at_the_top_has_its_own_type_only(parent: str) -> None:
    assert build_urn("dev", "shop", parent, "aws:s3/bucket:Bucket", "b") == (
        "urn:pulumi:dev::shop::aws:s3/bucket:Bucket::b"
    )


def test_child_carries_the_types_of_all_ancestors() -> None:
    outer = build_urn("dev", "shop", STACK, "p:net:Network", "n")
    inner = build_urn("dev", "shop", outer, "p:net:Zone", "z")
    leaf = build_urn("dev", "shop", inner, "aws:ec2/subnet:Subnet", "s")

    assert leaf == "urn:pulumi:dev::shop::p:net:Network$p:net:Zone$aws:ec2/subnet:Subnet::s"
    assert type_of(leaf) == "aws:ec2/subnet:Subnet"


def test_name_keeps_double_colons() -> None:
    urn = "urn:pulumi:dev::shop::a:b:C::first::second"

    assert parse_urn(urn) == Urn("dev", "shop", "a:b:C", "first::second")
    assert str(parse_urn(urn)) == urn


@pytest.mark.parametrize("text", ["", "urn:pulumi:dev::shop::a:b:C", "urn:other:dev::shop::a::b", "arn:aws:s3:::b"])
def test_refuses_what_is_no_urn(text: str) -> None:
    with pytest.raises(ValueError, match="is no URN"):
        parse_urn(text)


def test_provider_reference_is_split_at_the_last_double_colon() -> None:
    urn = "urn:pulumi:dev::shop::pulumi:providers:aws::odd::name"

    assert parse_provider_reference(f"{urn}::id-1") == (urn, "id-1")
    assert str(parse_provider_reference(f"{urn}::id-1")) == f"{urn}::id-1"
    with pytest.raises(ValueError, match="is no provider reference"):
        parse_provider_reference("nothing")


@pytest.mark.parametrize(
    ("token", "package", "provider"),
    [
        ("aws:s3/bucket:Bucket", "aws", False),
        ("pulumi:providers:aws", "aws", True),
        ("pulumi:pulumi:Stack", "pulumi", False),
    ],
)
def test_package_of_a_type(token: str, package: str, provider: bool) -> None:
    assert package_of(token) == package
    assert is_provider_type(token) is provider
