"""Whether a protected environment has the account of one that builds images.

CI's rights go by name and tag. In one account they keep environments apart from mistakes, not from whoever has taken over CI's role.
"""

from __future__ import annotations

from collections.abc import Iterator

from slipway.doctor.case import Case
from slipway.doctor.finding import Finding, State


def check_sharing(case: Case) -> Iterator[Finding]:
    """A line for each pair of which the environment is one."""
    project, own = case.project, case.project.facts
    others = {name: each for name, each in project.others.items() if each.account_id == own.account_id}
    pairs = [(project.environment, name) for name, each in others.items() if own.is_protected and each.builds]
    pairs += [(name, project.environment) for name, each in others.items() if each.is_protected and own.builds]
    for protected, builder in pairs:
        yield Finding(
            State.WARNING,
            f"{protected} is protected and shares {own.account_id} with {builder}, which builds images: "
            f"whoever takes over the role slipway-deploy-{builder} can reach {protected}",
            f"give {protected} an account of its own: docs/security.md#environments-in-one-account",
        )
    if not pairs:
        yield Finding(State.OK, "no protected environment shares it with one that builds images")
