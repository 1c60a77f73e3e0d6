"""Serve one of the sandbox's providers to a Pulumi engine: `python -m slipway.sandbox.providers.serve aws`.

Prints its port as Pulumi's plugins do, for `PULUMI_DEBUG_PROVIDERS=aws:<port>`. Ends on SIGTERM or Ctrl-C.
"""

from __future__ import annotations

import sys

from slipway.engine.plugins.server import run_plugin
from slipway.errors import UsageError
from slipway.sandbox.providers import PROVIDERS


def main(arguments: list[str]) -> int:
    """Serve the package that the first argument names; the next one, if any, is the engine's address."""
    if not arguments or arguments[0] not in PROVIDERS:
        error = UsageError(
            f"want one of {', '.join(sorted(PROVIDERS))}, got {arguments[0] if arguments else 'nothing'}",
            where="python -m slipway.sandbox.providers.serve",
        )
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return run_plugin(PROVIDERS[arguments[0]], arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
