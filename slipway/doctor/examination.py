"""Runs the checks one after the other. A check that gets no answer says so, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from slipway.doctor.account import CannotAskError
from slipway.doctor.case import Case
from slipway.doctor.checks.cost import check_cost
from slipway.doctor.checks.domain import check_domain
from slipway.doctor.checks.identity import check_identity
from slipway.doctor.checks.kubernetes import check_kubernetes
from slipway.doctor.checks.names import check_names
from slipway.doctor.checks.networks import check_stack_files, check_vpcs
from slipway.doctor.checks.permissions import check_permissions
from slipway.doctor.checks.quotas import check_quotas
from slipway.doctor.checks.sharing import check_sharing
from slipway.doctor.checks.zones import check_zones
from slipway.doctor.finding import Finding, State


@dataclass(frozen=True)
class Check:
    """One entry of the list."""

    name: str
    run: Callable[[Case], Iterator[Finding]]
    asks: bool = True
    """Whether it needs the account; if not, it runs without credentials too."""


CHECKS = (
    Check("names", check_names, asks=False),
    Check("stack files", check_stack_files, asks=False),
    Check("account", check_sharing, asks=False),
    Check("cost", check_cost, asks=False),
    Check("permissions", check_permissions),
    Check("quotas", check_quotas),
    Check("zones", check_zones),
    Check("Kubernetes", check_kubernetes),
    Check("domain", check_domain),
    Check("VPCs", check_vpcs),
)


def examine(case: Case) -> Iterator[Finding]:
    """Every finding, as soon as it is known. Nothing more is asked with the credentials of another account."""
    identity = check_identity(case)
    yield replace(identity, check="identity")
    for check in CHECKS:
        try:
            if check.asks and identity.state is State.FAILURE:
                yield Finding(State.NOT_ASKED, "needs an answer for the environment's account", check=check.name)
                continue
            for finding in check.run(case):
                yield replace(finding, check=check.name)
        except CannotAskError as error:
            yield Finding(State.NOT_ASKED, str(error), error.remedy, check.name)
