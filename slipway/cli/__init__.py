"""The `slipway` command: thin over the engine, delivery and the sandbox. `slipway --help` tells the way."""


def main() -> None:
    """Run the command line; every failure is one message and a documented exit code."""
    # Imported late: `slipway --version` and shell completion must not wait for cloud SDKs.
    from slipway.cli.app import run  # noqa: PLC0415

    run()
