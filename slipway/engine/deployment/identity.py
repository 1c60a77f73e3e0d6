"""Who a registration is: its URN, and the old record it continues, found by that URN or by an alias.

Rules as in Pulumi's step generator: the own URN first, then the aliases in their order; an alias' parent that itself matched through an
alias is taken by its old URN; and a child of an aliased parent is also looked for under that parent's old name.
"""

from __future__ import annotations

from slipway.engine.deployment.context import Deployment, Place
from slipway.engine.deployment.goal import Alias, Goal
from slipway.engine.urn import STACK_TYPE, Urn, build_urn, parse_urn
from slipway.errors import UsageError


def claim(deployment: Deployment, goal: Goal) -> tuple[str, Place | None]:
    """Give the registration its URN and find its old record; raises UsageError when either is claimed already."""
    with deployment.lock:
        if goal.parent and goal.parent not in deployment.goals:
            raise UsageError(
                f"{goal.type} {goal.name!r} names a parent that is not registered: {goal.parent}",
                remedy="create the parent before its children, in the same program",
            )
        urn = deployment.urn_of(goal.parent, goal.type, goal.name)
        if urn in deployment.goals:
            raise UsageError(
                f"Duplicate resource URN '{urn}'; try giving it a unique name",
                remedy="two resources of one type and parent cannot share a name",
            )
        if urn in deployment.aliased:
            raise UsageError(
                f"Duplicate resource alias '{urn}' applied to resource with URN '{deployment.aliased[urn]}'",
                where=urn,
            )
        deployment.goals[urn] = goal
        return urn, _find_old(deployment, urn, goal)


def _find_old(deployment: Deployment, urn: str, goal: Goal) -> Place | None:
    for candidate in [urn, *_alias_urns(deployment, goal)]:
        old = deployment.olds.get(candidate)
        if old is None:
            continue
        if candidate != urn:
            rival = candidate if candidate in deployment.goals else deployment.aliased.get(candidate)
            if rival is not None:
                raise UsageError(
                    f"Duplicate resource alias '{candidate}' applied to resource with URN '{urn}' conflicting with "
                    f"resource with URN '{rival}'",
                    where=urn,
                    remedy="take the alias off one of the two",
                )
            deployment.aliased[candidate] = urn
            deployment.aliases[urn] = candidate
        return old
    return None


def _alias_urns(deployment: Deployment, goal: Goal) -> list[str]:
    own = [_alias_urn(deployment, goal, alias) for alias in goal.aliases]
    found = list(own)
    old_parent = deployment.aliases.get(goal.parent)
    if old_parent is not None:
        parent_name = parse_urn(goal.parent).name
        found.append(_inherited(deployment, goal.type, goal.name, parent_name, old_parent))
        for text in own:
            alias = parse_urn(text)
            found.append(_inherited(deployment, alias.type, alias.name, parent_name, old_parent))
    return list(dict.fromkeys(found))


def _alias_urn(deployment: Deployment, goal: Goal, alias: Alias) -> str:
    if alias.urn:
        return alias.urn
    parent = alias.parent or goal.parent
    if alias.parent:
        parent = deployment.aliases.get(alias.parent, alias.parent)
    if alias.no_parent or (parent and parse_urn(parent).qualified_type == STACK_TYPE):
        parent = ""
    return build_urn(
        alias.stack or deployment.identity.stack,
        alias.project or deployment.identity.project,
        parent,
        alias.type or goal.type,
        alias.name or goal.name,
    )


def _inherited(deployment: Deployment, child_type: str, child_name: str, parent_name: str, old_parent: str) -> str:
    old = parse_urn(old_parent)
    name = old.name + child_name[len(parent_name) :] if child_name.startswith(parent_name) else child_name
    identity = deployment.identity
    return str(Urn(identity.stack, identity.project, f"{old.qualified_type}${child_type}", name))
