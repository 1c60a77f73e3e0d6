"""Policy packs (CrossGuard, Python): each runs in a process of its own and judges resources over the Analyzer protocol.

A pack is a folder with PulumiPolicy.yaml and `__main__.py`. It starts in the background, so that it boots beside the program; the first
call that needs it waits for it. `mandatory` violations are the caller's to enforce.
"""

from __future__ import annotations

# grpc ships no types: what its stubs answer is fixed by the protocol.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from slipway.engine.plugins.engine_server import EngineServer
from slipway.engine.plugins.launch import PluginCommand, PluginProcess
from slipway.engine.plugins.messages import CHANNEL_OPTIONS, FailedCall
from slipway.engine.policy_config import EnforcementLevel, reconcile_config
from slipway.engine.policy_manifest import read_manifest
from slipway.engine.urn import name_of
from slipway.engine.values import PropertyMap, Secret, contains_secret, unwrap_secrets
from slipway.engine.wire import Options, decode, encode
from slipway.errors import OperationError

Answer = TypeVar("Answer")

RESOURCE_TIMEOUT_SECONDS = 60.0
STACK_TIMEOUT_SECONDS = 600.0
INFO_TIMEOUT_SECONDS = 60.0

_INPUTS = Options(keep_unknowns=True, keep_secrets=True, skip_internal_keys=True)


class Severity(StrEnum):
    """How bad a violation is, if the policy says so."""

    UNSPECIFIED = "unspecified"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


@dataclass(frozen=True, kw_only=True)
class PolicySubject:
    """A resource as policies see it."""

    urn: str
    type: str
    properties: PropertyMap
    """Checked inputs while it is registered; outputs when the whole stack is judged."""
    parent: str = ""
    protect: bool = False
    ignore_changes: Sequence[str] = ()
    delete_before_replace: bool | None = None
    additional_secret_outputs: Sequence[str] = ()
    aliases: Sequence[str] = ()
    custom_timeouts: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds by `create`, `update`, `delete`."""
    provider: PolicySubject | None = None
    """Its provider resource."""
    dependencies: Sequence[str] = ()
    property_dependencies: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])


@dataclass(frozen=True, kw_only=True)
class Violation:
    """What a policy found."""

    pack: str
    pack_version: str
    policy: str
    level: EnforcementLevel
    message: str
    """The policy's description and, on the next line, what it found."""
    urn: str
    """The resource; "" when the policy names none."""
    description: str = ""
    severity: Severity = Severity.UNSPECIFIED


@dataclass(frozen=True, kw_only=True)
class Remediation:
    """How a policy changed a resource's inputs."""

    pack: str
    pack_version: str
    policy: str
    description: str
    properties: PropertyMap | None
    """All inputs after the change; None: it could not be applied, see `diagnostic`."""
    diagnostic: str


@dataclass(frozen=True, kw_only=True)
class PackContext:
    """What a pack may know of the run."""

    project: str
    stack: str
    organization: str = "organization"
    preview: bool = False
    config: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The stack's configuration as the program gets it."""
    secret_keys: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class PolicyPack:
    """One running pack. Thread-safe."""

    def __init__(
        self,
        directory: Path,
        context: PackContext,
        *,
        settings: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
        on_output: Callable[[str, str], None] = lambda _severity, _line: None,
    ) -> None:
        """Begin to start the pack, and return at once.

        `settings`: the pack's configuration, as in a `--policy-pack-config` file. `on_output` takes (severity, line) of what the pack
        prints. Raises UsageError when the folder holds no Python pack; what goes wrong later is raised by the first call.
        """
        manifest = read_manifest(directory)
        self._manifest_version = manifest.version
        self._python = manifest.python
        self.directory = directory
        self._context = context
        self._settings = settings or {}
        self._environ = dict(os.environ if environ is None else environ)
        self._on_output = on_output
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="policy-pack")
        self._started: Future[_Running] = self._starter.submit(self._start)

    @property
    def name(self) -> str:
        """The pack's name. Waits for the pack."""
        return self._running().info.name

    @property
    def version(self) -> str:
        """PulumiPolicy.yaml's `version`, else the pack's own. Waits for the pack."""
        return self._manifest_version or str(self._running().info.version)

    def analyze(self, subject: PolicySubject) -> list[Violation]:
        """Judge one resource."""
        running = self._running()
        request = analyzer_pb2.AnalyzeRequest(
            urn=subject.urn,
            type=subject.type,
            name=name_of(subject.urn),
            properties=encode(subject.properties, _INPUTS),
            options=_options(subject),
            provider=_provider(subject),
        )
        response = self._call(running.stub.Analyze, request, RESOURCE_TIMEOUT_SECONDS)
        return [self._violation(diagnostic, subject.urn) for diagnostic in response.diagnostics]

    def analyze_stack(self, subjects: Sequence[PolicySubject]) -> list[Violation]:
        """Judge all resources together."""
        running = self._running()
        request = analyzer_pb2.AnalyzeStackRequest(resources=[_stack_resource(subject) for subject in subjects])
        response = self._call(running.stub.AnalyzeStack, request, STACK_TIMEOUT_SECONDS)
        return [self._violation(diagnostic, "") for diagnostic in response.diagnostics]

    def remediate(self, subject: PolicySubject) -> list[Remediation]:
        """Let `remediate` policies change a resource's inputs; the last one's `properties` hold all changes."""
        running = self._running()
        if not running.remediates:
            return []
        request = analyzer_pb2.AnalyzeRequest(
            urn=subject.urn,
            type=subject.type,
            name=name_of(subject.urn),
            properties=encode(subject.properties, Options(keep_unknowns=True, keep_secrets=True)),
            options=_options(subject),
            provider=_provider(subject),
        )
        response = self._call(running.stub.Remediate, request, RESOURCE_TIMEOUT_SECONDS)
        return [
            Remediation(
                pack=item.policyPackName,
                pack_version=self.version,
                policy=item.policyName,
                description=item.description,
                properties=_restore_marks(subject.properties, request.properties, item.properties)
                if item.HasField("properties")
                else None,
                diagnostic=item.diagnostic,
            )
            for item in response.remediations
        ]

    def close(self) -> None:
        """End the pack's process, even while it starts. It never raises."""
        # A start that failed has cleaned up after itself, and was or will be told by the call that needed it.
        if not self._started.cancel() and self._started.exception() is None:
            self._started.result().close()
        self._starter.shutdown()

    def _running(self) -> _Running:
        return self._started.result()

    def _start(self) -> _Running:
        engine = EngineServer(lambda _urn, severity, text: self._on_output(severity, text))
        process: PluginProcess | None = None
        try:
            process = PluginProcess(
                PluginCommand(arguments=[self._python, "-u", "-m", "pulumi.policy"], directory=self.directory),
                name=f"policy pack {self.directory.name}",
                arguments=[engine.address, str(self.directory)],
                environ=self._pack_environment(),
                on_output=self._on_output,
            )
            running = _Running(engine, process)
        except BaseException:
            if process is not None:
                process.stop()
            engine.stop()
            raise
        try:
            self._introduce(running)
        except BaseException:
            running.close()
            raise
        return running

    def _introduce(self, running: _Running) -> None:
        """Tell the pack the stack and its settings."""
        running.info = self._call(running.stub.GetAnalyzerInfo, empty_pb2.Empty(), INFO_TIMEOUT_SECONDS)
        context = self._context
        stack = analyzer_pb2.AnalyzerStackConfigureRequest(
            stack=context.stack,
            project=context.project,
            organization=context.organization,
            dry_run=context.preview,
            config=context.config,
            config_secret_keys=context.secret_keys,
            tags=context.tags,
        )
        self._call(running.stub.ConfigureStack, stack, INFO_TIMEOUT_SECONDS, optional=True)
        configured = reconcile_config(running.info, self._settings, where=str(self.directory))
        request = analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=configured)
        self._call(running.stub.Configure, request, INFO_TIMEOUT_SECONDS)
        running.remediates = any(item.enforcementLevel == analyzer_pb2.REMEDIATE for item in configured.values())

    def _pack_environment(self) -> dict[str, str]:
        context = self._context
        return self._environ | {
            "PULUMI_ORGANIZATION": context.organization,
            "PULUMI_PROJECT": context.project,
            "PULUMI_STACK": context.stack,
            "PULUMI_DRY_RUN": "true" if context.preview else "false",
            "PULUMI_CONFIG": json.dumps(dict(context.config)),
        }

    def _call(
        self, method: Callable[..., Answer], request: Any, timeout_seconds: float, *, optional: bool = False
    ) -> Answer:
        try:
            return method(request, timeout=timeout_seconds)
        except grpc.RpcError as error:
            failed = cast(FailedCall, error)
            if optional and failed.code() is grpc.StatusCode.UNIMPLEMENTED:
                return cast(Answer, None)
            reason = failed.details() or failed.code().name
            raise OperationError(
                f"the policy pack failed: {reason}",
                where=str(self.directory),
                remedy="mend the policy, or leave it out",
            ) from error

    def _violation(self, diagnostic: analyzer_pb2.AnalyzeDiagnostic, urn: str) -> Violation:
        severity = analyzer_pb2.PolicySeverity.Name(diagnostic.severity).removeprefix("POLICY_SEVERITY_").lower()
        return Violation(
            pack=diagnostic.policyPackName,
            pack_version=self.version,
            policy=diagnostic.policyName,
            level=EnforcementLevel(analyzer_pb2.EnforcementLevel.Name(diagnostic.enforcementLevel).lower()),
            message=diagnostic.message,
            urn=diagnostic.urn or urn,
            description=diagnostic.description,
            severity=Severity(severity),
        )


class _Running:
    """The process of a pack and the connection to it."""

    def __init__(self, engine: EngineServer, process: PluginProcess) -> None:
        self._engine = engine
        self._process = process
        self._channel = grpc.insecure_channel(f"127.0.0.1:{process.port}", options=list(CHANNEL_OPTIONS))
        self.stub = analyzer_pb2_grpc.AnalyzerStub(self._channel)
        self.info = analyzer_pb2.AnalyzerInfo()
        self.remediates = False

    def close(self) -> None:
        self._channel.close()
        self._process.stop()
        self._engine.stop()


def _restore_marks(original: PropertyMap, sent: struct_pb2.Struct, returned: struct_pb2.Struct) -> PropertyMap:
    """What a policy returned, with what it did not change as it was: it sees references as ids, and may lose secret marks.

    A changed value that was secret stays secret, whatever the policy made of it.
    """
    before, after = decode(sent), decode(returned)
    result: PropertyMap = {}
    for key, value in after.items():
        if key in original and unwrap_secrets(before.get(key)) == unwrap_secrets(value):
            result[key] = original[key]
        elif contains_secret(original.get(key)) and not contains_secret(value):
            result[key] = Secret(value)
        else:
            result[key] = value
    return result


def _options(subject: PolicySubject) -> analyzer_pb2.AnalyzerResourceOptions:
    options = analyzer_pb2.AnalyzerResourceOptions(
        protect=subject.protect,
        ignoreChanges=subject.ignore_changes,
        deleteBeforeReplace=bool(subject.delete_before_replace),
        deleteBeforeReplaceDefined=subject.delete_before_replace is not None,
        additionalSecretOutputs=subject.additional_secret_outputs,
        aliases=subject.aliases,
        parent=subject.parent,
    )
    options.customTimeouts.CopyFrom(
        analyzer_pb2.AnalyzerResourceOptions.CustomTimeouts(
            create=subject.custom_timeouts.get("create", 0),
            update=subject.custom_timeouts.get("update", 0),
            delete=subject.custom_timeouts.get("delete", 0),
        )
    )
    return options


def _provider(subject: PolicySubject) -> analyzer_pb2.AnalyzerProviderResource | None:
    provider = subject.provider
    if provider is None:
        return None
    return analyzer_pb2.AnalyzerProviderResource(
        urn=provider.urn,
        type=provider.type,
        name=name_of(provider.urn),
        properties=encode(provider.properties, _INPUTS),
    )


def _stack_resource(subject: PolicySubject) -> analyzer_pb2.AnalyzerResource:
    return analyzer_pb2.AnalyzerResource(
        urn=subject.urn,
        type=subject.type,
        name=name_of(subject.urn),
        properties=encode(subject.properties, _INPUTS),
        options=_options(subject),
        provider=_provider(subject),
        parent=subject.parent,
        dependencies=subject.dependencies,
        propertyDependencies={
            key: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns)
            for key, urns in subject.property_dependencies.items()
        },
    )
