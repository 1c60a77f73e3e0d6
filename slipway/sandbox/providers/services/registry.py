"""The types and functions that the AWS provider serves, by token. A service is imported when one of its tokens is asked for.

A module of a service lists what it serves in `RESOURCES` and `FUNCTIONS`.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from slipway.sandbox.providers.framework.functions import Function
from slipway.sandbox.providers.framework.resource import Resource

_SERVICES = {
    "alb": ("elbv2",),
    "cloudwatch": ("cloudwatch", "logs"),
    "elasticloadbalancingv2": ("elbv2",),
    "index": ("ec2", "meta", "sts"),
    "lb": ("elbv2",),
    "vpc": ("ec2",),
}
"""The services behind a module of pulumi-aws, where the names differ: `aws:lb/listener:Listener` is one of elbv2."""


@cache
def services() -> tuple[str, ...]:
    """The folders beside this file."""
    return tuple(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]) if module.ispkg)


@cache
def _modules(service: str) -> tuple[ModuleType, ...]:
    package = f"{__package__}.{service}"
    folder = Path(__file__).with_name(service)
    return tuple(import_module(f"{package}.{module.name}") for module in pkgutil.iter_modules([str(folder)]))


@cache
def _resources(service: str) -> dict[str, Resource]:
    found: dict[str, Resource] = {}
    for module in _modules(service):
        for each in getattr(module, "RESOURCES", ()):
            found |= dict.fromkeys((each.token, *each.aliases), each)
    return found


@cache
def _functions(service: str) -> dict[str, Function]:
    found: dict[str, Function] = {}
    for module in _modules(service):
        found |= getattr(module, "FUNCTIONS", {})
    return found


def _services_of(token: str) -> tuple[str, ...]:
    module = token.split(":")[1].partition("/")[0] if token.count(":") == 2 else ""
    return tuple(name for name in _SERVICES.get(module, (module,)) if name in services())


def resource(token: str) -> Resource | None:
    """The type of this token or alias; None if it is not served."""
    return next((found[token] for found in map(_resources, _services_of(token)) if token in found), None)


def function(token: str) -> Function | None:
    """The function of this token; None if it is not served."""
    return next((found[token] for found in map(_functions, _services_of(token)) if token in found), None)


def all_resources() -> dict[str, Resource]:
    """Every type by its own token, without aliases. Imports every service."""
    return {each.token: each for service in services() for each in _resources(service).values()}


def all_functions() -> dict[str, Function]:
    """Every function by its token. Imports every service."""
    return {token: each for service in services() for token, each in _functions(service).items()}


def unsupported(token: str) -> str:
    """What to tell a user about a token that is not served."""
    known = sorted(
        each
        for service in _services_of(token)
        for each in (*_resources(service), *_functions(service))
        if each.startswith(token.split("/", 1)[0] + "/")
    )
    hint = f"; of that service it has {', '.join(known)}" if known else ""
    return f"{token} is not supported by the sandbox's AWS provider{hint}"
