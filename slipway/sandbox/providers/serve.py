"""Serve the sandbox's providers to a Pulumi engine in another process.

`python -m slipway.sandbox.providers.serve aws` is one plugin: it prints its port, as Pulumi's plugins do, and ends on SIGTERM, on Ctrl-C
or with the engine that started it. With no argument all of them are served, and PULUMI_DEBUG_PROVIDERS is printed for that engine.
Start it in the program's folder (`main` of Pulumi.yaml): relative paths are resolved from there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from slipway.engine.plugins.server import end_on_signals, run_plugin, serve
from slipway.errors import UsageError
from slipway.sandbox.providers import PROVIDERS


def serve_all(tell: Callable[[str], None]) -> None:
    """Serve every package until SIGTERM or Ctrl-C. `tell` gets the value of PULUMI_DEBUG_PROVIDERS, once all can be called."""
    ended = end_on_signals()
    servers = {package: serve(make) for package, make in sorted(PROVIDERS.items())}
    tell(",".join(f"{package}:{server.port}" for package, server in servers.items()))
    ended.wait()
    for server in servers.values():
        server.stop()


def main(arguments: Sequence[str]) -> int:
    """Serve the package that the first argument names, or all; what follows it is for the plugin."""
    if not arguments:
        serve_all(lambda value: print(f"PULUMI_DEBUG_PROVIDERS={value}", flush=True))  # noqa: T201 - the result
        return 0
    package, *others = arguments
    if package not in PROVIDERS:
        error = UsageError(
            f"want one of {', '.join(sorted(PROVIDERS))}, got {package}",
            where="python -m slipway.sandbox.providers.serve",
        )
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return run_plugin(PROVIDERS[package], others)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
