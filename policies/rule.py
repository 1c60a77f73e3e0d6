"""How a rule that yields violations becomes a policy: one adapter for all."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from pulumi_policy import EnforcementLevel, ReportViolation, ResourceValidationArgs, ResourceValidationPolicy

Properties = Mapping[str, Any]
Rule = Callable[[str, Properties], Iterator[str]]
"""Takes a resource's type and properties; yields one sentence per violation, with the remedy in it."""


def build_policy(name: str, description: str, rule: Rule) -> ResourceValidationPolicy:
    """A mandatory policy that reports everything the rule yields."""

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for violation in rule(args.resource_type, args.props):
            report(f"{args.name}: {violation}", None)

    return ResourceValidationPolicy(
        name=name, description=description, validate=validate, enforcement_level=EnforcementLevel.MANDATORY
    )


def block(parent: Properties, *path: str) -> Properties:
    """The nested block at `path`, empty where there is none (or its value is not known yet)."""
    for key in path:
        value = parent.get(key)
        parent = cast("Properties", value) if isinstance(value, Mapping) else {}
    return parent


def listing(parent: Properties, key: str) -> Sequence[Any]:
    """The list under `key`, empty where there is none (or its value is not known yet)."""
    value = parent.get(key)
    return cast("Sequence[Any]", value) if isinstance(value, list) else ()
