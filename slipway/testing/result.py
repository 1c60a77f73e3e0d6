"""What a test gets back: the resources of a run, the steps of a preview, and readable failures."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# Property values and engine events are wire data of any shape.

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slipway.providers.wire import decode
from slipway.testing.engine import Outcome
from slipway.testing.observing import Registration
from slipway.testing.program import Program

Kind = str | type
"""A resource type: its token, `aws:rds/instance:Instance`, or its class, `aws.rds.Instance`."""


@dataclass(frozen=True)
class Resource:
    """One resource as the program registered it."""

    urn: str
    type: str
    name: str
    id: str
    parent: str
    """The parent's URN; empty for the stack itself."""
    provider: str
    """The provider's URN; empty for components and for resources on a default provider."""
    inputs: Mapping[str, Any]
    """By their names on the wire (`cidrBlock`), after transforms. Secrets are `Secret(value)`, unknown values `UNKNOWN`."""
    outputs: Mapping[str, Any]
    """Of a component: what it registered."""
    custom: bool
    protect: bool
    aliases: Sequence[str]
    """URNs, or `name=…, type=…, parent=…` for partial aliases."""
    dependencies: Sequence[str]
    """URNs of everything that it waits for."""
    ignore_changes: Sequence[str] = ()
    secret_outputs: Sequence[str] = ()

    def __repr__(self) -> str:
        return f"<{self.urn}>"


@dataclass(frozen=True)
class Step:
    """What an operation does, or would do, with one resource."""

    op: str
    """`create`, `update`, `replace`, `delete`, `same`, `read` or `import`."""
    urn: str
    type: str
    replace_reasons: Sequence[str] = ()
    """The properties that force the replacement."""
    diff: Mapping[str, str] = field(default_factory=dict[str, str])
    """What changes, by property path: `add`, `delete`, `update` and their `-replace` variants."""

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[-1]

    def __repr__(self) -> str:
        reasons = f" because of {', '.join(self.replace_reasons)}" if self.replace_reasons else ""
        changes = "" if reasons or not self.diff else f" ({', '.join(self.diff)})"
        return f"<{self.op} {self.urn}{reasons}{changes}>"


@dataclass(frozen=True)
class Violation:
    """One answer of a policy."""

    policy: str
    message: str
    urn: str
    level: str


class DeploymentError(Exception):
    """The engine or a provider refused; `diagnostics` has what they said."""

    def __init__(self, verb: str, diagnostics: Sequence[str], output: str) -> None:
        super().__init__(f"pulumi {verb} failed:\n" + ("\n".join(diagnostics) or output))
        self.diagnostics = diagnostics


@dataclass(frozen=True)
class Deployment:
    """The result of `deploy`, `preview` and `upgrade_from`."""

    stack: str
    resources: Sequence[Resource]
    outputs: Mapping[str, Any]
    """Of the stack."""
    steps: Sequence[Step]
    diagnostics: Sequence[str]
    """Warnings and errors, each with its URN."""
    violations: Sequence[Violation]
    skipped_applies: Sequence[str]
    """Functions given to `apply` that never ran, because their value was unknown: `file:line name`."""
    _again: Callable[[str, Program | None], Deployment] = field(repr=False)
    _record: Callable[[Path], None] = field(repr=False)

    # ------------------------------------------------------------------------------------------ resources

    def find(self, kind: Kind | None = None, name: str | None = None) -> list[Resource]:
        """All resources of a type, of a name, or both."""
        token = _token(kind)
        return [r for r in self.resources if token in (None, r.type) and name in (None, r.name)]

    def one(self, kind: Kind | None = None, name: str | None = None) -> Resource:
        """The one resource of a type, of a name, or both; fails with what there is."""
        found = self.find(kind, name)
        if len(found) != 1:
            wanted = " ".join(str(part) for part in (_token(kind), name) if part)
            there = "\n".join(f"  {r.urn}" for r in (found or self.resources))
            raise AssertionError(f"want exactly one {wanted}, found {len(found)}; there is:\n{there}")
        return found[0]

    def children_of(self, parent: Resource) -> list[Resource]:
        """Direct children, in the order of registration."""
        return [r for r in self.resources if r.parent == parent.urn]

    def provider_of(self, resource: Resource) -> Resource:
        """The provider that a resource is on; fails for one on a default provider."""
        for candidate in self.resources:
            if candidate.urn == resource.provider:
                return candidate
        raise AssertionError(f"{resource.urn} is on a default provider")

    # ------------------------------------------------------------------------------------------ steps

    @property
    def changes(self) -> list[Step]:
        """Steps that change something."""
        return [step for step in self.steps if step.op not in ("same", "read", "refresh")]

    @property
    def replaced(self) -> list[Step]:
        """Steps that replace a resource, with the reasons."""
        return [step for step in self.steps if step.op == "replace"]

    @property
    def deleted(self) -> list[Step]:
        """Steps that delete a resource which is not made anew."""
        return [step for step in self.steps if step.op == "delete"]

    def assert_no_changes(self) -> None:
        """Fail with every step that changes something."""
        if self.changes:
            raise AssertionError("want no changes, got:\n" + "\n".join(f"  {step!r}" for step in self.changes))

    def assert_keeps(self, *kinds: Kind) -> None:
        """Fail when a resource of these types (of any type, if none is given) would be replaced or deleted."""
        tokens = {_token(kind) for kind in kinds}
        lost = [s for s in (*self.replaced, *self.deleted) if not tokens or s.type in tokens]
        if lost:
            raise AssertionError("this would lose:\n" + "\n".join(f"  {step!r}" for step in lost))

    # ------------------------------------------------------------------------------------------ what comes next

    def preview(self, program: Program | None = None) -> Deployment:
        """What running the program again, or another one, on this stack would do."""
        return self._again("preview", program)

    def update(self, program: Program | None = None) -> Deployment:
        """Run the program again, or another one, on this stack."""
        return self._again("up", program)

    def refresh(self) -> Deployment:
        """Read every resource from its provider."""
        return self._again("refresh", None)

    def destroy(self) -> Deployment:
        """Delete everything."""
        return self._again("destroy", None)

    def record(self, path: Path | str) -> None:
        """Write the stack's state for `upgrade_from`. Secrets are left out."""
        self._record(Path(path))


def _token(kind: Kind | None) -> str | None:
    return kind if kind is None or isinstance(kind, str) else str(getattr(kind, "pulumi_type", kind.__name__))


def read_resources(outcome: Outcome, provider_inputs: Mapping[str, Mapping[str, Any]]) -> list[Resource]:
    """The resources that a run registered, without the stack itself."""
    return [
        _resource(each, provider_inputs, outcome.observation.outputs)
        for each in outcome.observation.registrations
        if each.request.type != "pulumi:pulumi:Stack"
    ]


def _resource(
    made: Registration, provider_inputs: Mapping[str, Mapping[str, Any]], registered: Mapping[str, Mapping[str, Any]]
) -> Resource:
    request = made.request
    inputs = provider_inputs.get(made.urn) or decode(request.object)
    return Resource(
        urn=made.urn,
        type=request.type,
        name=request.name,
        id=made.id,
        parent=request.parent,
        provider=request.provider.rsplit("::", 1)[0],
        inputs={key: value for key, value in inputs.items() if value is not None},
        outputs=made.outputs if request.custom else registered.get(made.urn, {}),
        custom=request.custom,
        protect=request.protect,
        aliases=[*request.aliasURNs, *(_alias(alias) for alias in request.aliases)],
        dependencies=sorted(request.dependencies),
        ignore_changes=list(request.ignoreChanges),
        secret_outputs=list(request.additionalSecretOutputs),
    )


def _alias(alias: Any) -> str:
    if alias.urn:
        return str(alias.urn)
    spec = alias.spec
    parts = {"name": spec.name, "type": spec.type, "parent": spec.parentUrn or ("none" if spec.noParent else "")}
    return ", ".join(f"{key}={value}" for key, value in parts.items() if value)


def read_steps(events: Sequence[Mapping[str, Any]]) -> list[Step]:
    """One step for each resource; the three steps of a replacement are one."""
    steps: dict[str, Step] = {}
    for event in events:
        metadata = (event.get("resourcePreEvent") or {}).get("metadata")
        if metadata is None or metadata["type"] == "pulumi:pulumi:Stack":
            continue
        op = "replace" if "replace" in metadata["op"] else metadata["op"]
        if metadata["urn"] in steps and steps[metadata["urn"]].replace_reasons:
            continue
        diff = {path: each["diffKind"] for path, each in (metadata.get("detailedDiff") or {}).items()}
        reasons = metadata.get("keys") or [] if op == "replace" else []
        steps[metadata["urn"]] = Step(op, metadata["urn"], metadata["type"], reasons, diff)
    return list(steps.values())


def read_diagnostics(events: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Severity and text of each warning and error."""
    for event in events:
        said = event.get("diagnosticEvent")
        if said and said["severity"] in ("warning", "error") and not said.get("ephemeral"):
            where = f"{said['urn']}: " if said.get("urn") else ""
            yield said["severity"], f"{said['severity']}: {where}{said['message'].strip()}"


def read_violations(events: Sequence[Mapping[str, Any]]) -> list[Violation]:
    """What policies said."""
    found = [event["policyEvent"] for event in events if event.get("policyEvent")]
    return [
        Violation(e["policyName"], e["message"].strip(), e.get("resourceUrn", ""), e["enforcementLevel"]) for e in found
    ]
