"""What a fake provider answers: stable, readable values of the right type for everything that the cloud would have computed."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Property values and engine events are wire data of any shape.

from __future__ import annotations

import enum
import hashlib
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from slipway.providers.schema import Property, ResourceSchema, alternatives, properties_of
from slipway.providers.values import UNKNOWN

ACCOUNT_ID = "123456789012"
REGION = "us-east-1"
_DEEPEST = 5  # types of some SDKs contain themselves


@dataclass(frozen=True)
class Identity:
    """Whose values are made: a resource (or a function's result) by token and logical name."""

    token: str
    name: str

    @property
    def package(self) -> str:
        return self.token.split(":")[0]

    @property
    def id(self) -> str:
        """Stable, and different for two types of one name: `security-group-orders-clients`."""
        kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", self.token.rsplit(":", 1)[-1]).lower()
        return f"{kind}-{self.name}"

    @property
    def physical_name(self) -> str:
        """The logical name with a suffix, as providers name what the program does not name."""
        return f"{self.name}-{hashlib.sha256(self.id.encode()).hexdigest()[:7]}"

    def arn(self) -> str:
        """An ARN of the right shape."""
        _, middle, kind = self.token.split(":")
        service = middle.split("/")[0]
        return f"arn:aws:{service}:{REGION}:{ACCOUNT_ID}:{kind[0].lower()}{kind[1:]}/{self.name}"


def compute_outputs(identity: Identity, schema: ResourceSchema | None, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs that the inputs do not say: output-only properties, and defaults of inputs that always have a value."""
    if schema is None:
        return {}
    if identity.package == "kubernetes":
        return _kubernetes_outputs(identity, inputs)
    return {
        name: _fabricate(identity, name, declared.hint, depth=0)
        for name, declared in schema.outputs.items()
        if inputs.get(name) is None and name not in ("id", "urn") and not (name in schema.inputs and declared.optional)
    }


def _kubernetes_outputs(identity: Identity, inputs: Mapping[str, Any]) -> dict[str, Any]:
    # The API server fills in hundreds of defaults; a component that needs one of them says so in `answers`.
    given = inputs.get("metadata")
    metadata: Mapping[str, Any] = given if isinstance(given, dict) else {}
    return {"metadata": {"name": metadata.get("name") or identity.physical_name, "uid": identity.id, **metadata}}


def kubernetes_id(inputs: Mapping[str, Any]) -> str | None:
    """`namespace/name`, as pulumi-kubernetes names objects."""
    metadata = inputs.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return None
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if isinstance(namespace, str) else metadata["name"]


def compute_result(token: str, outputs: Mapping[str, Property], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A function's result: its arguments, and made-up values for the rest."""
    identity = Identity(token, token.rsplit(":", 1)[-1])
    return {
        name: arguments[name] if arguments.get(name) is not None else _fabricate(identity, name, declared.hint, depth=0)
        for name, declared in outputs.items()
    }


def _fabricate(identity: Identity, name: str, hint: Any, depth: int) -> Any:  # noqa: PLR0911 - one return a kind
    wanted = next(iter(alternatives(hint)), Any)
    origin = typing.get_origin(wanted)
    arguments = typing.get_args(wanted)
    if origin is typing.Literal:
        return arguments[0]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {}
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return [] if depth >= _DEEPEST else [_fabricate(identity, name, arguments[0], depth + 1)]
    if wanted is bool:
        return False
    if wanted in (int, float):
        return 1
    if isinstance(wanted, enum.EnumMeta):
        return next(iter(cast("type[enum.Enum]", wanted))).value
    if isinstance(wanted, type) and wanted is not str and properties_of(wanted):
        fields = properties_of(wanted).items() if depth < _DEEPEST else ()
        return {key: _fabricate(identity, key, declared.hint, depth + 1) for key, declared in fields}
    return _text(identity, name)


def _text(identity: Identity, name: str) -> str:
    lower = name.lower()
    if lower.endswith("arn"):
        return identity.arn() if lower == "arn" else f"{identity.arn()}/{name}"
    if lower in ("name", "bucket", "identifier"):
        return identity.physical_name
    if lower in ("region", "accountid", "ownerid"):
        return REGION if lower == "region" else ACCOUNT_ID
    if lower.endswith(("url", "uri")):
        return f"https://{identity.name}.example.com"
    if lower.endswith(("endpoint", "hostname", "dnsname", "address", "domainname")):
        return f"{identity.name}.example.com"
    return f"{identity.id}-{name}"


def hide_computed(answer: Any, inputs: Any) -> Any:
    """`answer` as a preview knows it: what the inputs say stays, everything else is unknown."""
    if isinstance(answer, Mapping) and isinstance(inputs, Mapping):
        return {key: hide_computed(value, inputs.get(key)) for key, value in answer.items()}
    return inputs if inputs is not None else UNKNOWN


def merge(base: Any, over: Any) -> Any:
    """`over` laid over `base`: objects are merged, everything else is replaced."""
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        below, above = cast("Mapping[str, Any]", base), cast("Mapping[str, Any]", over)
        return {**below, **{key: merge(below.get(key), value) for key, value in above.items()}}
    return over
