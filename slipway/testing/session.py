"""Deploys, previews and upgrades programs for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from slipway.documents import mapping_in, read_yaml
from slipway.providers.schema import find_class, function_schema, installed_packages
from slipway.testing.checks import choose_checks, run_checks
from slipway.testing.engine import Outcome, Workspace
from slipway.testing.program import Program
from slipway.testing.provider import Answer, Cloud
from slipway.testing.recording import blank_secrets, load_state, save_state
from slipway.testing.result import (
    Deployment,
    DeploymentError,
    read_diagnostics,
    read_resources,
    read_steps,
    read_violations,
)

_ARGUMENTS = {
    "preview": ("--diff",),
    "up": ("--yes", "--skip-preview"),
    "refresh": ("--yes", "--skip-preview"),
    "destroy": ("--yes", "--skip-preview"),
}


@dataclass(frozen=True)
class Options:
    """How a program is run. Everything has a default."""

    stack: str = "dev"
    project: str | Path = "test"
    """The project's name, or a folder with Pulumi.yaml, whose name, configuration and Pulumi.<stack>.yaml are used."""
    config: Mapping[str, Any] | None = None
    """Values by key, `aws:region`; objects and lists as they are, secrets as `Secret(value)`. Laid over the project's."""
    answers: Mapping[str | type, Answer] | None = None
    """By resource type (a token or a class), what its provider answers in place of made-up values."""
    invokes: Mapping[str, Answer] | None = None
    """By function token, what it returns in place of made-up values."""
    replace_on: Mapping[str | type, Iterable[str]] | None = None
    """By resource type, properties whose change makes a new resource."""
    policy_packs: Sequence[str | Path] = ()
    """Folders of policy packs. A violation of a mandatory policy fails the deployment."""
    checks: Mapping[str, bool] | None = None
    """Checks to switch on or off for this run."""

    def __post_init__(self) -> None:
        for option in ("answers", "replace_on"):
            given: Mapping[str | type, Any] = getattr(self, option) or {}
            by_token = {str(getattr(key, "pulumi_type", key)): value for key, value in given.items()}
            _refuse_unknown(option, by_token, _is_type)
            object.__setattr__(self, option, by_token)
        _refuse_unknown("invokes", self.invokes or {}, lambda token: function_schema(token) is not None)


class Session:
    """The operations of one test; each program gets a stack of its own."""

    def __init__(self, folder: Path, find_command: Callable[[], Path], checks: Mapping[str, bool]) -> None:
        self._folder = folder
        self._find_command = find_command
        self._checks = checks
        self._stacks = 0

    def run(self, verb: str, program: Program, options: Options, state: Mapping[str, Any] | None = None) -> Deployment:
        """Run a program on a new stack, which has `state` if given."""
        workspace = self._workspace(options)
        if state is not None:
            workspace.write_state(state)
        return _Stack(workspace, options, choose_checks(self._checks, options.checks or {})).run(verb, program)

    def _workspace(self, options: Options) -> Workspace:
        self._stacks += 1
        settings: dict[str, Any] = {}
        config: dict[str, Any] = {}
        root = None
        if isinstance(options.project, Path):
            root = options.project.resolve()
            file = root / f"Pulumi.{options.stack}.yaml"
            settings = read_yaml(root / "Pulumi.yaml")
            config = mapping_in(read_yaml(file) if file.exists() else {}, "config", where=str(file))
            config = {key: value for key, value in config.items() if not _is_encrypted(value)}
        return Workspace(
            folder=self._folder / f"stack-{self._stacks}",
            command=self._find_command(),
            project=str(settings.get("name") or options.project),
            stack=options.stack,
            config={**config, **(options.config or {})},
            project_settings=settings,
            root=root,
        )


@dataclass
class _Stack:
    workspace: Workspace
    options: Options
    checks: Mapping[str, bool]
    classes: dict[str, type] | None = None
    last: Program | None = None

    def run(self, verb: str, program: Program | None) -> Deployment:
        program = program or self.last
        assert program is not None  # noqa: S101 - the first run always has one
        self.last = program
        options = self.options
        cloud = Cloud(
            answers=cast("Mapping[str, Answer]", options.answers),
            invokes=options.invokes or {},
            replace_on=cast("Mapping[str, Iterable[str]]", options.replace_on),
            check_schema=self.checks["schema"],
            classes=self.classes or {},
        )
        self.classes = cloud.classes
        judged = options.policy_packs if verb in ("preview", "up") else ()
        packs = [f"--policy-pack={self.workspace.launcher_of(Path(pack).resolve())}" for pack in judged]
        outcome = self.workspace.run(verb, program, cloud, *_ARGUMENTS[verb], *packs)
        return self._result(verb, outcome, cloud)

    def _result(self, verb: str, outcome: Outcome, cloud: Cloud) -> Deployment:
        diagnostics = list(read_diagnostics(outcome.events))
        violations = read_violations(outcome.events)
        error = outcome.observation.error
        if error is not None and not outcome.observation.engine_failed:
            raise error
        if outcome.exit_code != 0:
            said = [text for severity, text in diagnostics if severity == "error"]
            said += [f"policy {v.policy} ({v.level}): {v.urn}: {v.message}" for v in violations]
            raise DeploymentError(verb, said, outcome.output) from error
        resources = read_resources(outcome, cloud.inputs)
        run_checks(self.checks, outcome.observation, resources)
        stack = [r.urn for r in outcome.observation.registrations if r.request.type == "pulumi:pulumi:Stack"]
        return Deployment(
            stack=self.workspace.stack,
            resources=resources,
            outputs=outcome.observation.outputs.get(stack[0], {}) if stack else {},
            steps=read_steps(outcome.events),
            diagnostics=[text for _, text in diagnostics],
            violations=violations,
            skipped_applies=sorted(place for place, ran in outcome.observation.applies.items() if not ran),
            _again=self.run,
            _record=lambda path: save_state(path, self.workspace.read_state()),
        )


def read_recorded(state: Path | str | Mapping[str, Any]) -> Mapping[str, Any]:
    """A recorded state, from a file or as it is, without its secrets."""
    if isinstance(state, Mapping):
        return cast("dict[str, Any]", blank_secrets(state.get("deployment", state)))
    return load_state(Path(state))


def _refuse_unknown(option: str, given: Iterable[str], is_known: Callable[[str], bool]) -> None:
    """Raise ValueError for a token that its installed SDK does not have: it would change nothing, and nobody would see it."""
    for token in given:
        parts = token.split(":")
        if parts[0] in installed_packages() and not (len(parts) == 3 and is_known(token)):
            want = "aws:s3/bucket:Bucket or aws:iam/getPolicyDocument:getPolicyDocument"
            raise ValueError(f"{option}: the installed SDK of {parts[0]} has no {token}; a token is like {want}")


def _is_type(token: str) -> bool:
    try:
        return getattr(find_class(token), "pulumi_type", None) == token
    except LookupError:
        return False


def _is_encrypted(value: Any) -> bool:
    return isinstance(value, dict) and set(cast("dict[str, Any]", value)) == {"secure"}
