"""Resource names as the engine writes them: `urn:pulumi:<stack>::<project>::<qualified type>::<name>`.

The qualified type carries the types of all ancestors but the stack's: `platform:network:Network$aws:ec2/vpc:Vpc`.
The name is the rest of the string and may itself contain `::`.
Source of the grammar: the Pulumi SDKs' `sdk/go/common/resource/urn`.
"""

from __future__ import annotations

from typing import NamedTuple

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_TYPE_PREFIX = "pulumi:providers:"
PREFIX = "urn:pulumi:"
_PARTS = 4


class Urn(NamedTuple):
    """The four parts of a URN."""

    stack: str
    project: str
    qualified_type: str
    name: str

    @property
    def type(self) -> str:
        """The resource's own type, without its ancestors'."""
        return self.qualified_type.rpartition("$")[2]

    def __str__(self) -> str:
        return f"{PREFIX}{self.stack}::{self.project}::{self.qualified_type}::{self.name}"


def parse_urn(urn: str) -> Urn:
    """Split a URN. Raises ValueError when it is none."""
    parts = urn.removeprefix(PREFIX).split("::", _PARTS - 1)
    if not urn.startswith(PREFIX) or len(parts) != _PARTS:
        raise ValueError(f"{urn!r} is no URN: want urn:pulumi:<stack>::<project>::<type>::<name>")
    return Urn(*parts)


def build_urn(stack: str, project: str, parent: str, type_token: str, name: str) -> str:
    """The URN of a resource. `parent`: the parent's URN, "" or the stack's URN for a resource at the top."""
    return str(Urn(stack, project, qualified_type(parent, type_token), name))


def qualified_type(parent: str, type_token: str) -> str:
    """`type_token` behind the full qualified type of `parent` (a URN, or "")."""
    parent_type = parse_urn(parent).qualified_type if parent else ""
    return type_token if parent_type in {"", STACK_TYPE} else f"{parent_type}${type_token}"


def type_of(urn: str) -> str:
    """The resource's own type token."""
    return parse_urn(urn).type


def name_of(urn: str) -> str:
    """The resource's logical name."""
    return parse_urn(urn).name


def is_provider_type(type_token: str) -> bool:
    """Whether the type is that of a provider resource, `pulumi:providers:<package>`."""
    return type_token.startswith(PROVIDER_TYPE_PREFIX)


def package_of(type_token: str) -> str:
    """The package a type belongs to: `aws` for `aws:s3/bucket:Bucket` and for `pulumi:providers:aws`."""
    if is_provider_type(type_token):
        return type_token.removeprefix(PROVIDER_TYPE_PREFIX)
    return type_token.partition(":")[0]


class ProviderReference(NamedTuple):
    """A reference to a provider record: `<provider urn>::<provider id>`."""

    urn: str
    id: str

    def __str__(self) -> str:
        return f"{self.urn}::{self.id}"


def parse_provider_reference(text: str) -> ProviderReference:
    """Split at the LAST `::`, because a URN's name may contain some. Raises ValueError when no URN is before it."""
    urn, separator, provider_id = text.rpartition("::")
    if not separator or not provider_id:
        raise ValueError(f"{text!r} is no provider reference: want <provider urn>::<id>")
    parse_urn(urn)
    return ProviderReference(urn, provider_id)
