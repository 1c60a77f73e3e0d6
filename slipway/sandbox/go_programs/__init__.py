"""Programs that no package offers: built from Go modules once, and kept by a hash of what they are made of.

One Go module (`slipway/sandbox/go`) holds all of them, so that each of their packages has one version and is compiled once for all.
"""

from slipway.sandbox.go_programs.binaries import Binaries
from slipway.sandbox.go_programs.groups import (
    CLUSTER_GROUPS,
    GO_FOLDER,
    GROUPS,
    KUBERNETES,
    KUBERNETES_PLUGIN,
    KUBERNETES_PLUGIN_VERSION,
    PULUMI,
    PULUMI_VERSION,
    Group,
)

__all__ = [
    "CLUSTER_GROUPS",
    "GO_FOLDER",
    "GROUPS",
    "KUBERNETES",
    "KUBERNETES_PLUGIN",
    "KUBERNETES_PLUGIN_VERSION",
    "PULUMI",
    "PULUMI_VERSION",
    "Binaries",
    "Group",
]
