"""One stack of a project, run by the CLI's own processes: shown to a person, or quietly for a program.

Processes, and not the Automation API: the CLI shows its own progress on the terminal, and importing `pulumi.automation` takes longer
than a quiet `pulumi` needs to start. See docs/decisions/one-engine.md.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from slipway.errors import NotFoundError, OperationError
from slipway.stack.backend import remove_torn_sidecars
from slipway.stack.cli import PulumiCli
from slipway.stack.event_log import EventLog, read_event_log
from slipway.stack.failures import NO_STACK, failure
from slipway.stack.locks import LockHolder, file_holders, named_holders
from slipway.stack.pending import interrupted_creates, refusal, without_interrupted_creates
from slipway.stack.process import Finished, run_quietly, run_shown
from slipway.stack.result import StackResult

BACKEND_VARIABLE = "PULUMI_BACKEND_URL"
STACK_TYPE = "pulumi:pulumi:Stack"
OPERATION_TIMEOUT_SECONDS = 2 * 3600
"""For what runs quietly. The longest step known is an EKS cluster with its nodes, about 25 minutes."""
QUESTION_TIMEOUT_SECONDS = 300
RUNNING_THE_PROGRAM = frozenset({"preview", "up"})
"""Verbs that take the policy packs, and make the stack where there is none."""
_QUIET = ("--non-interactive", "--color", "never", "--suppress-outputs")
_SETTINGS = {
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    "PULUMI_DEBUG_COMMANDS": "true",  # without it the CLI has no --event-log
}


class PulumiStack:
    """Runs one stack. Failures are SlipwayErrors; what was done until then is in the state."""

    def __init__(
        self,
        find_cli: Callable[[], PulumiCli],
        project: Path,
        name: str,
        *,
        adopts_creates: bool = False,
        policy_pack: Path | None = None,
        secrets_provider: str = "",
        say: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """`find_cli`: called at the first use. `adopts_creates`: the providers take up creates that a killed run
        began, as the sandbox's do. `policy_pack`: by default the project's `policies/`. `secrets_provider`: encrypts the
        secrets of a stack that is made; by default what the CLI takes. `say`: gets a line of progress.
        """
        self.name = name
        self._find_cli = find_cli
        self._project = project
        self._adopts_creates = adopts_creates
        self._policy_pack = policy_pack or project / "policies"
        self._secrets_provider = secrets_provider
        self._say = say

    @cached_property
    def _cli(self) -> PulumiCli:
        return self._find_cli()

    # -- for people

    def show(self, verb: str, *flags: str) -> EventLog:
        """Run a verb on the terminal: the CLI shows its progress and asks its questions there."""
        return self._operate(verb, flags, shown=True)

    # -- for programs

    def preview(self) -> StackResult:
        """What `up` would do."""
        began = time.monotonic()
        log = self._operate("preview", _QUIET, shown=False)
        return StackResult(changes=log.changes, seconds=time.monotonic() - began, preview=log.preview)

    def up(self) -> StackResult:
        """Bring the world to what the program says."""
        return self._change("up")

    def refresh(self) -> StackResult:
        """Bring the state to what the world is."""
        return self._change("refresh")

    def destroy(self) -> StackResult:
        """Remove everything."""
        return self._change("destroy")

    def resources(self) -> int:
        """How many resources the state has beside the stack itself; 0 as well for a stack that does not exist."""
        try:
            deployment: dict[str, Any] = self.export()["deployment"] or {}
        except NotFoundError:
            return 0
        resources: list[dict[str, Any]] = deployment.get("resources") or []
        return sum(record["type"] != STACK_TYPE for record in resources)

    def outputs(self, *, show_secrets: bool = True) -> Mapping[str, Any]:
        """The outputs, secrets in plain text unless told otherwise: never to be logged. Empty: never brought up."""
        flags = ["--show-secrets"] if show_secrets else []
        try:
            return self._answer_json("stack", "output", "--json", *flags)
        except NotFoundError:
            return {}

    def export(self) -> dict[str, Any]:
        """The state as `pulumi stack export` prints it, secrets encrypted. NotFoundError when there is no such stack."""
        return self._answer_json("stack", "export")

    # -- how

    def _change(self, verb: str) -> StackResult:
        began = time.monotonic()
        log = self._operate(verb, (*_QUIET, "--yes", "--skip-preview"), shown=False)
        return StackResult(changes=log.changes, seconds=time.monotonic() - began)

    def _operate(self, verb: str, flags: Iterable[str], *, shown: bool) -> EventLog:
        flags = [*flags, *(self._policy_flags() if verb in RUNNING_THE_PROGRAM else ())]
        if verb in {"up", "destroy"} and "--preview-only" not in flags:
            self._settle_interrupted_creates()
        with _event_log_file() as file:
            finished = self._run(
                [verb, *flags, "--event-log", str(file)], shown=shown, making=verb in RUNNING_THE_PROGRAM
            )
            log = read_event_log(file)
        if finished.code:
            raise failure(finished, log, self.name)
        return log

    def _run(self, arguments: list[str], *, shown: bool = False, making: bool = False) -> Finished:
        """Run a command; where a dead process left its lock or the stack was never made, put that right and run it again."""
        remove_torn_sidecars(os.environ.get(BACKEND_VARIABLE, ""))
        run = partial(run_shown, withheld=NO_STACK if making else "") if shown else _run_operation
        finished = run(self._argv(arguments), self._environ())
        if finished.code and self._unlocked(named_holders(finished.stderr)):
            finished = run(self._argv(arguments), self._environ())
        if finished.code and making and isinstance(failure(finished, EventLog(), self.name), NotFoundError):
            encrypted = ["--secrets-provider", self._secrets_provider] if self._secrets_provider else []
            self._answer("stack", "init", self.name, "--no-select", *encrypted, stack=False)
            finished = run(self._argv(arguments), self._environ())
        return finished

    def _settle_interrupted_creates(self) -> None:
        try:
            state = self.export()
        except NotFoundError:
            return
        urns = interrupted_creates(state)
        if not urns:
            return
        project = urns[0].split("::")[1]
        holders = file_holders(os.environ.get(BACKEND_VARIABLE, ""), project, self.name)
        if holders and not self._unlocked(holders):
            return  # a run is under way, and its creates are not interrupted: the CLI says that the stack is locked
        if not self._adopts_creates:
            raise refusal(urns, self.name)
        self._say(f"{self.name}: {len(urns)} create(s) were interrupted; what they made is taken up")
        self._answer("stack", "import", given=json.dumps(without_interrupted_creates(state)))

    def _unlocked(self, holders: Sequence[LockHolder]) -> bool:
        """Whether the stack was locked by dead processes only, whose locks are removed now."""
        if not holders or not all(holder.is_dead for holder in holders):
            return False
        pids = ", ".join(str(holder.pid) for holder in holders)
        self._say(f"{self.name}: removing the lock of a process that is dead ({pids})")
        self._answer("cancel", "--yes")
        return True

    def _answer_json(self, *arguments: str) -> dict[str, Any]:
        said = self._answer(*arguments)
        try:
            return json.loads(said)
        except ValueError as error:
            what = f"pulumi failed: `{' '.join(arguments)}` printed no JSON"
            raise OperationError(what, where=self.name) from error

    def _answer(self, *arguments: str, given: str = "", stack: bool = True) -> str:
        """What a quick command prints."""
        remove_torn_sidecars(os.environ.get(BACKEND_VARIABLE, ""))
        try:
            finished = run_quietly(
                self._argv([*arguments, "--non-interactive", "--color", "never"], stack=stack),
                self._environ(),
                timeout_seconds=QUESTION_TIMEOUT_SECONDS,
                given=given,
            )
        except TimeoutError as error:
            raise OperationError(str(error), where=self.name) from None
        if finished.code or finished.interrupted:
            raise failure(finished, EventLog(), self.name)
        return finished.stdout

    def _argv(self, arguments: Iterable[str], *, stack: bool = True) -> list[str]:
        which = ["--stack", self.name] if stack else []
        return [self._cli.program, "--cwd", str(self._project), *arguments, *which]

    def _policy_flags(self) -> list[str]:
        pack = self._policy_pack
        return ["--policy-pack", str(pack)] if (pack / "PulumiPolicy.yaml").is_file() else []

    def _environ(self) -> dict[str, str]:
        return {**os.environ, **_SETTINGS}


def _run_operation(argv: list[str], environ: Mapping[str, str]) -> Finished:
    try:
        return run_quietly(argv, environ, timeout_seconds=OPERATION_TIMEOUT_SECONDS)
    except TimeoutError as error:
        raise OperationError(str(error)) from None


@contextmanager
def _event_log_file() -> Generator[Path]:
    """A private file: the log names the stack's plain settings."""
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        yield Path(folder) / "events.json"
