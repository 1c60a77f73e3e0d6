"""A daemon of the AWS API with existing clusters behind its EKS and nothing else: `existing_daemon.py <port> <first endpoint's port>`."""

from __future__ import annotations

import os
import sys
import threading

from slipway.sandbox.aws.application import AwsApplication
from slipway.sandbox.aws.install import install_backends
from slipway.sandbox.aws.routes import token_review_route
from slipway.sandbox.aws.server import AwsServer
from slipway.sandbox.aws.world import World, use_world
from slipway.sandbox.kubernetes import open_clusters
from slipway.sandbox.kubernetes.existing import address, manager
from slipway.sandbox.kubernetes.existing.setting import settle_kubeconfig
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.processes import ProcessTable
from slipway.sandbox.state import MotoState

API_PORT, address.FIRST_PORT = int(sys.argv[1]), int(sys.argv[2])
manager.push_image = lambda: None  # there is no registry here

paths = SandboxPaths.from_environment()
settle_kubeconfig(paths, os.environ)
install_backends()
application = AwsApplication(MotoState(paths.sandbox / "aws"))
application.add_route("token-review", token_review_route)
use_world(
    World(
        clusters=open_clusters(paths, ProcessTable(paths)),
        token_webhook_url=f"http://127.0.0.1:{API_PORT}/_slipway/token-review/",
    )
)
AwsServer(application, ["127.0.0.1"], API_PORT).start()
threading.Event().wait()
