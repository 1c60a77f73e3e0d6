"""Which context of a kubeconfig stands for an EKS cluster: pure."""

from __future__ import annotations

from collections.abc import Sequence

from slipway.errors import UsageError

MAKERS = ("kind-", "k3d-")
"""What tools put before a cluster's name to name its context."""


def choose_context(contexts: Sequence[str], current: str, cluster: str, *, where: str) -> str:
    """The context named as the cluster; else the one whose name is a part of the cluster's; else the current one.

    `orders-dev-1a2b3c4` fits `kind-orders-dev` and `kind-dev`; of several the longest counts. Raises UsageError when two fit as well,
    and when none fits and none is current.
    """
    if cluster in contexts:
        return cluster
    fits = [name for name in contexts if f"-{_plain(name)}-" in f"-{cluster}-"]
    longest = max((len(_plain(name)) for name in fits), default=0)
    best = [name for name in fits if len(_plain(name)) == longest]
    if len(best) > 1:
        raise UsageError(
            f"the contexts {' and '.join(best)} fit the cluster {cluster} equally well",
            where=where,
            remedy=f"rename one of them, or name the one to use {cluster}: kubectl config rename-context",
        )
    if best:
        return best[0]
    if current not in contexts:
        raise UsageError(
            f"no context fits the cluster {cluster}, and none is current; there are: {', '.join(contexts) or 'none'}",
            where=where,
            remedy="name a context after the environment (`dev`, `kind-dev`), or choose one: kubectl config use-context",
        )
    return current


def _plain(context: str) -> str:
    maker = next((maker for maker in MAKERS if context.startswith(maker)), "")
    return context.removeprefix(maker)
