"""The sandbox's daemon: `python -m slipway.sandbox.daemon`. Serves the AWS API and the Pulumi providers, and keeps the real things
behind them.

`--api-only` serves both without clusters, databases and load balancers behind them (what moto simulates); tests use it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from slipway.errors import SlipwayError
from slipway.log import get_logger
from slipway.sandbox.domain_tls import DomainAuthority
from slipway.sandbox.environment import aws_credentials
from slipway.sandbox.paths import SandboxPaths
from slipway.sandbox.ports import AWS_PORT, HOST_ADDRESS, PROVIDER_PORTS
from slipway.sandbox.provider_process import ProviderProcess

PORT_VARIABLE = "SLIPWAY_AWS_PORT"
"""Another port for the AWS API; 0 takes any free one. The ports in use are in `$SLIPWAY_HOME/sandbox/endpoint.json`."""

log = get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class DaemonOptions:
    """How the daemon was started."""

    port: int
    api_only: bool
    """No clusters, databases, registry or load balancers: only what moto simulates, on 127.0.0.1, and providers on any free ports."""

    @property
    def provider_ports(self) -> Mapping[str, int]:
        """By package."""
        return dict.fromkeys(PROVIDER_PORTS, 0) if self.api_only else PROVIDER_PORTS


def parse_options(arguments: list[str]) -> DaemonOptions:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m slipway.sandbox.daemon", description=__doc__)
    parser.add_argument("--port", type=int, default=os.environ.get(PORT_VARIABLE, str(AWS_PORT)))
    parser.add_argument("--api-only", action="store_true")
    parser.add_argument("--code", default="", help="hash of the sources; tells `up` whether the daemon runs these")
    parsed = parser.parse_args(arguments)
    return DaemonOptions(port=parsed.port, api_only=parsed.api_only)


def run(paths: SandboxPaths, options: DaemonOptions) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    # moto reads its settings when it is imported, hence the imports below.
    os.environ.update(_moto_settings(paths, options))
    from slipway.sandbox.aws.answers import json_answer  # noqa: PLC0415
    from slipway.sandbox.aws.application import AwsApplication  # noqa: PLC0415
    from slipway.sandbox.aws.install import install_backends  # noqa: PLC0415
    from slipway.sandbox.aws.server import AwsServer  # noqa: PLC0415
    from slipway.sandbox.report import daemon_report  # noqa: PLC0415
    from slipway.sandbox.state import MotoState  # noqa: PLC0415

    authority = DomainAuthority(paths)
    _ = authority.certificate  # `slipway sandbox env` names its file before the first certificate is requested
    install_backends(authority)
    state = MotoState(paths.sandbox / "aws")
    restored = state.restore()
    application = AwsApplication(state)
    addresses = ["127.0.0.1"] if options.api_only else ["127.0.0.1", HOST_ADDRESS]
    server = AwsServer(application, addresses, options.port)
    providers = ProviderProcess(paths, options.provider_ports, f"http://127.0.0.1:{server.port}")
    parts = None
    if not options.api_only:
        from slipway.sandbox.parts import Parts  # noqa: PLC0415

        parts = Parts(paths, application, state, server.port)
    application.add_route(
        "status",
        lambda _environ: json_answer(daemon_report(server.port, parts, state, providers, application.faults)),
    )
    state.start()
    if parts:
        parts.start_traffic()
    server.start()
    if parts:
        parts.start()
    provider_ports = providers.ready()
    _write_endpoint(paths, server.port, provider_ports)
    log.info("serving", port=server.port, addresses=addresses, providers=provider_ports, restored=sorted(set(restored)))
    stop.wait()
    log.info("stopping")
    providers.stop()
    server.stop()
    if parts:
        parts.stop()
    state.stop()


def _moto_settings(paths: SandboxPaths, options: DaemonOptions) -> dict[str, str]:
    return {
        "MOTO_PORT": str(options.port),
        "MOTO_DISABLE_GLOBAL_CORS": "true",
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",  # AttachRolePolicy knows arn:aws:iam::aws:policy/AmazonEKSClusterPolicy
        **aws_credentials(paths),  # moto's own boto3 sessions must never find a person's
    }


def _write_endpoint(paths: SandboxPaths, port: int, providers: Mapping[str, int]) -> None:
    path = paths.sandbox / "endpoint.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    record = {"url": f"http://127.0.0.1:{port}", "pid": os.getpid(), "providers": dict(providers)}
    temporary.write_text(json.dumps(record))
    temporary.replace(path)


def main() -> int:
    """Entry point; errors become one line on standard error."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # Plain tracebacks: the default ones print local variables, and those hold passwords.
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )
    try:
        run(SandboxPaths.from_environment(), parse_options(sys.argv[1:]))
    except SlipwayError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the daemon's log
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
