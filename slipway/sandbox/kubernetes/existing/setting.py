"""Whether existing clusters are used, and from which kubeconfig: said at `slipway sandbox up`, remembered until the sandbox is reset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from slipway.errors import UsageError
from slipway.sandbox.kubernetes.kubeconfig import load_contexts
from slipway.sandbox.kubernetes.layout import kubernetes_folder
from slipway.sandbox.kubernetes.state import ClusterBook
from slipway.sandbox.paths import SandboxPaths

KUBECONFIG_VARIABLE = "SLIPWAY_SANDBOX_KUBECONFIG"
"""Names the kubeconfig of clusters that are there already. Unset: as before; empty: the sandbox builds its own (again)."""


def remembered_kubeconfig(paths: SandboxPaths) -> Path | None:
    """The kubeconfig in use; None when the sandbox builds its clusters."""
    try:
        return Path(_file(paths).read_text())
    except FileNotFoundError:
        return None


def settle_kubeconfig(paths: SandboxPaths, environment: Mapping[str, str]) -> Path | None:
    """Take over what the environment says, and remember it; what is in use then.

    Raises UsageError for a file that is no kubeconfig, and for a change while there are clusters.
    """
    remembered = remembered_kubeconfig(paths)
    said = environment.get(KUBECONFIG_VARIABLE)
    if said is None:
        return remembered
    wanted = Path(said).expanduser().resolve() if said else None
    if wanted is not None:
        load_contexts(wanted)
    if wanted == remembered:
        return wanted
    clusters = list(ClusterBook(paths).all())
    if clusters:
        raise UsageError(
            f"{', '.join(clusters)} {_stand_on(remembered, plural=len(clusters) > 1)}, and that cannot be changed under them",
            where=KUBECONFIG_VARIABLE,
            remedy=f"unset it{f' or set it to {remembered}' if remembered else ''}, or remove them first: slipway sandbox reset",
        )
    path = _file(paths)
    if wanted is None:
        path.unlink(missing_ok=True)
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(str(wanted))
    temporary.replace(path)
    return wanted


def _stand_on(kubeconfig: Path | None, *, plural: bool) -> str:
    if kubeconfig is None:
        return "are clusters that the sandbox built" if plural else "is a cluster that the sandbox built"
    return f"{'stand' if plural else 'stands'} on existing clusters of {kubeconfig}"


def _file(paths: SandboxPaths) -> Path:
    return kubernetes_folder(paths) / "existing-kubeconfig"
