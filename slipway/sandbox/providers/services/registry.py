"""The types and functions that the AWS provider serves, by token. A service is imported when one of its tokens is asked for.

A service serves every type and every function that its modules define.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TypeGuard

from slipway.sandbox.providers.framework.functions import Function
from slipway.sandbox.providers.framework.resource import Resource

_SERVICES = {
    "cloudwatch": ("cloudwatch", "logs"),
    "index": ("ec2", "meta", "sts"),
    "lb": ("elbv2",),
    "vpc": ("ec2",),
}
"""The services behind a module of pulumi-aws, where the names differ: `aws:lb/listener:Listener` is one of elbv2."""
_SAME = {"alb": "lb", "elasticloadbalancingv2": "lb"}
"""Modules of pulumi-aws that are older names of another."""


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
    found = [value for module in _modules(service) for value in vars(module).values() if _is_type(value)]
    return {each.token: each() for each in found}


def _is_type(value: object) -> TypeGuard[type[Resource]]:
    """What only helps to write types has no token of its own."""
    return isinstance(value, type) and issubclass(value, Resource) and "token" in vars(value)


@cache
def _functions(service: str) -> dict[str, Function]:
    found = [value for module in _modules(service) for value in vars(module).values() if isinstance(value, Function)]
    return {each.token: each for each in found}


def _own(token: str) -> str:
    """The token without what older releases of pulumi-aws called it: another module, or in S3 a name that ends in V2."""
    package, module, name = token.split(":") if token.count(":") == 2 else ("", "", token)
    place = _SAME.get(module.partition("/")[0], module.partition("/")[0])
    own = name.removesuffix("V2") if place == "s3" else name
    return f"{package}:{place}/{own[:1].lower()}{own[1:]}:{own}" if package else token


def _services_of(token: str) -> tuple[str, ...]:
    module = token.split(":")[1].partition("/")[0] if token.count(":") == 2 else ""
    return tuple(name for name in _SERVICES.get(module, (module,)) if name in services())


def resource(token: str) -> Resource | None:
    """The type of this token, or of an older name of it; None if it is not served."""
    token = _own(token)
    return next((found[token] for found in map(_resources, _services_of(token)) if token in found), None)


def function(token: str) -> Function | None:
    """The function of this token, or of an older name of it; None if it is not served."""
    token = _own(token)
    return next((found[token] for found in map(_functions, _services_of(token)) if token in found), None)


def all_resources() -> dict[str, Resource]:
    """Every type by its own token. Imports every service."""
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
