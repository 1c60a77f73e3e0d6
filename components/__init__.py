"""Component resources that a platform team composes: an isolated environment and what a service needs in it.

Each component is one file, takes one frozen `…Args`, names its children after itself and registers its outputs last. Tokens, child
names, defaults and outputs are promises; what changes one carries an alias.
"""

from .blue_green_service import BlueGreenService, BlueGreenServiceArgs, ColourRelease
from .cluster import Cluster, ClusterArgs
from .compute import Compute
from .database import Database, DatabaseArgs
from .database_login import DatabaseLogin
from .environment import Environment, EnvironmentArgs, NatGateways
from .errors import ArgsError
from .image import Image, ImageArgs
from .load_balancer import LoadBalancer, LoadBalancerArgs
from .monitoring import Monitoring, MonitoringArgs
from .pod_identity import Permission
from .pod_template import PodSettings

__all__ = [
    "ArgsError",
    "BlueGreenService",
    "BlueGreenServiceArgs",
    "Cluster",
    "ClusterArgs",
    "ColourRelease",
    "Compute",
    "Database",
    "DatabaseArgs",
    "DatabaseLogin",
    "Environment",
    "EnvironmentArgs",
    "Image",
    "ImageArgs",
    "LoadBalancer",
    "LoadBalancerArgs",
    "Monitoring",
    "MonitoringArgs",
    "NatGateways",
    "Permission",
    "PodSettings",
]
