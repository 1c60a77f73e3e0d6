"""What every command shares: the project's folder and where its stacks run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from slipway.cli.output import say
from slipway.errors import UsageError
from slipway.sandbox.paths import SandboxPaths

if TYPE_CHECKING:
    from slipway.delivery.model.cadence import Cadence
    from slipway.stack import PulumiStack

PROJECT_FILE = "Pulumi.yaml"
FOUNDATION = "foundation"
"""The folder, in the project's, of the program of what an organisation has once."""


@dataclass(frozen=True)
class Session:
    """The options before the verb."""

    project_dir: Path
    sandbox: bool
    """Run on the local sandbox instead of what AWS_* and PULUMI_* name."""
    verbose: bool = False
    in_account: bool = True
    """On the sandbox: work on an environment in the account that its stack file names; else in the sandbox's own."""

    @property
    def paths(self) -> SandboxPaths:
        """The sandbox's folders."""
        return SandboxPaths.from_environment()

    def require_project(self) -> Path:
        """The project's folder; UsageError when it holds none."""
        # os.path, because Path.is_file raises an error for a name that is too long.
        if not os.path.isfile(self.project_dir / PROJECT_FILE):  # noqa: PTH113
            raise UsageError(
                f"no {PROJECT_FILE} here",
                where=str(self.project_dir),
                remedy="go to the project's folder, or name it: slipway --project-dir <folder> …",
            )
        return self.project_dir

    def require_stack(self, stack: str) -> str:
        """`stack`, if it has a stack file; UsageError naming those there are otherwise."""
        from slipway.documents import find_stack_file  # noqa: PLC0415 - a parser that few verbs need

        find_stack_file(self.require_project(), stack)
        return stack

    def activate(self, environment: str = "") -> None:
        """On the sandbox: take its addresses and credentials, after making sure that it answers. `environment`: of its account."""
        if not self.sandbox:
            return
        from slipway.sandbox.environment import sandbox_environment  # noqa: PLC0415
        from slipway.sandbox.lifecycle import require_running  # noqa: PLC0415

        require_running(self.paths)
        os.environ.update(sandbox_environment(self.paths))
        if environment and self.in_account:
            self._enter_account(environment)

    def _enter_account(self, environment: str) -> None:
        from slipway.documents import read_stack_config  # noqa: PLC0415 - a parser that few verbs need
        from slipway.sandbox.aws_accounts import OWN_ACCOUNT, account_credentials  # noqa: PLC0415

        account = str(read_stack_config(self.require_project(), environment).get("slipway:accountId") or OWN_ACCOUNT)
        if account != OWN_ACCOUNT:
            os.environ.update(account_credentials(self.paths, account))

    @property
    def cadence(self) -> Cadence:
        """How fast the world is where the session's stacks run."""
        from slipway.delivery.model.cadence import AWS, SANDBOX, SANDBOX_WITH_LATE_METRICS  # noqa: PLC0415
        from slipway.sandbox.switching import show_switch  # noqa: PLC0415

        if not self.sandbox:
            return AWS
        return SANDBOX_WITH_LATE_METRICS if show_switch("metrics")["pace"] == "aws" else SANDBOX

    def stack(self, environment: str) -> PulumiStack:
        """The stack of one environment, run by the Pulumi CLI."""
        return self._stack(self.require_project(), self.require_stack(environment), environment=environment)

    @property
    def foundation_stack(self) -> str:
        """The foundation's one stack: `org`, and for the sandbox one of its own."""
        return "sandbox" if self.sandbox else "org"

    def foundation(self, *, secrets_provider: str = "") -> PulumiStack:
        """The foundation's stack. `secrets_provider` encrypts its secrets, if it is made now."""
        from slipway.documents import find_stack_file  # noqa: PLC0415 - a parser that few verbs need

        folder = self.require_project() / FOUNDATION
        find_stack_file(folder, self.foundation_stack)
        return self._stack(folder, self.foundation_stack, secrets_provider=secrets_provider)

    def _stack(self, folder: Path, name: str, *, secrets_provider: str = "", environment: str = "") -> PulumiStack:
        from slipway.stack import PulumiStack, find_cli  # noqa: PLC0415

        self.activate(environment)
        return PulumiStack(
            lambda: find_cli(cache=self.paths.cache),
            folder,
            name,
            adopts_creates=self.sandbox,
            policy_pack=self.project_dir / "policies",
            secrets_provider=secrets_provider,
            say=say,
        )


def session_of(context: typer.Context) -> Session:
    """The session that the options before the verb made."""
    return context.obj
