"""The providers of one operation: loaded once, configured once, found by reference.

A provider is itself a resource (`pulumi:providers:aws`): its check, diff and create are CheckConfig, DiffConfig and Configure.
Old providers are configured from the inputs in the state, because what they made can only be deleted with the credentials and the
region of that time.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from slipway.engine import urn as urns
from slipway.engine.deployment.calls import ProviderCalls, guarded
from slipway.engine.deployment.compare import annotate_secrets
from slipway.engine.deployment.goal import Goal
from slipway.engine.provider import CallContext, CheckResult, DiffResult, Provider
from slipway.engine.state.model import ResourceState
from slipway.engine.values import UNKNOWN_SENTINEL, PropertyMap, Secret, contains_unknown, unwrap_secrets
from slipway.errors import OperationError, UsageError

_log = logging.getLogger(__name__)
INTERNAL_KEY = "__internal"
VERSION_KEY = "version"
DISABLE_DEFAULTS_KEY = "pulumi:disable-default-providers"


@dataclass(frozen=True, kw_only=True)
class ProviderSource:
    """Which plugin serves a provider."""

    package: str
    version: str = ""
    plugin_download_url: str = ""


ProviderLoader = Callable[[ProviderSource], Provider]
"""Starts one instance of a provider; raises SlipwayError, naming the package, when there is none."""


class ProviderRegistry:
    """All provider instances of one operation. Thread-safe."""

    def __init__(
        self,
        load: ProviderLoader,
        olds: Mapping[str, ResourceState],
        *,
        preview: bool,
        on_message: Callable[[str, str, str], None],
    ) -> None:
        """`olds`: the state's provider records by reference. `on_message`: takes what providers say, see `Provider.on_message`."""
        self._on_message = on_message
        self._load = load
        self._olds = olds
        self._preview = preview
        self._lock = threading.RLock()
        self._checked: dict[str, Provider] = {}
        """Instances that checked a registration's configuration and wait for its step, by URN."""
        self._configured: dict[str, ProviderCalls] = {}
        """By reference."""
        self._instances: list[Provider] = []
        self._loading: dict[str, threading.Lock] = {}
        self._cancelled = False

    # ------------------------------------------------------------ as a resource

    def check(self, ctx: CallContext, olds: PropertyMap, news: PropertyMap) -> CheckResult:
        """CheckConfig on a new instance, which is kept for the configuration that follows."""
        instance = self._start(_source_of(ctx.type, news))
        given = public_config(news)
        answer = guarded(lambda: instance.check_config(ctx, public_config(olds), unwrap_secrets(given)))
        with self._lock:
            replaced = self._checked.pop(ctx.urn, None)
            self._checked[ctx.urn] = instance
        if replaced is not None:
            self._stop(replaced)
        inputs = annotate_secrets(answer.inputs, given)
        internal: PropertyMap = {INTERNAL_KEY: news[INTERNAL_KEY]} if INTERNAL_KEY in news else {}
        return CheckResult(inputs={**internal, **inputs}, failures=answer.failures)

    def diff(self, ctx: CallContext, old: ResourceState, news: PropertyMap) -> DiffResult:
        """DiffConfig, asked of the new instance."""
        with self._lock:
            instance = self._checked.get(ctx.urn)
        if instance is None:
            instance = self._start(_source_of(ctx.type, news))
            with self._lock:
                self._checked[ctx.urn] = instance
        return instance.diff_config(
            ctx,
            unwrap_secrets(public_config(old.inputs)),
            unwrap_secrets(old.outputs),
            unwrap_secrets(public_config(news)),
        )

    def diff_by_reference(
        self, reference: str, old: PropertyMap, old_outputs: PropertyMap, new: PropertyMap
    ) -> DiffResult:
        """DiffConfig between two provider records, asked of the instance that `reference` names."""
        calls = self.find(reference)
        urn = urns.parse_provider_reference(reference).urn
        ctx = CallContext(urn=urn, type=urns.type_of(urn), name=urns.name_of(urn), preview=self._preview)
        return calls.provider.diff_config(
            ctx, unwrap_secrets(public_config(old)), unwrap_secrets(old_outputs), unwrap_secrets(public_config(new))
        )

    def configure(self, urn: str, type_token: str, inputs: PropertyMap, provider_id: str) -> str:
        """Configure the checked instance and make it known as `<urn>::<id>`; an empty id makes a new one.

        Returns the id; in a preview of a new provider it stays empty, and dependents refer to it with the unknown sentinel.
        """
        with self._lock:
            instance = self._checked.pop(urn, None)
        instance = instance or self._start(_source_of(type_token, inputs))
        calls = self._configure(instance, urn, type_token, inputs)
        if not provider_id and not self._preview:
            provider_id = str(uuid.uuid4())
        with self._lock:
            self._configured[reference_to(urn, provider_id)] = calls
        return provider_id

    # ------------------------------------------------------------ by reference

    def find(self, reference: str) -> ProviderCalls:
        """The provider a record names: registered in this run, or else configured now from the state."""
        with self._lock:
            known = self._configured.get(reference)
            gate = self._loading.setdefault(reference, threading.Lock())
        if known is not None:
            return known
        with gate:
            with self._lock:
                known = self._configured.get(reference)
            if known is not None:
                return known
            return self._load_old(reference)

    def _load_old(self, reference: str) -> ProviderCalls:
        old = self._olds.get(reference)
        if old is None:
            raise OperationError(
                f"the provider {reference} is neither registered by the program nor in the state",
                remedy="register the provider before what it makes, and pass it as `provider`",
            )
        instance = self._start(_source_of(old.type, old.inputs))
        calls = self._configure(instance, old.urn, old.type, old.inputs)
        with self._lock:
            self._configured[reference] = calls
        return calls

    def _configure(self, instance: Provider, urn: str, type_token: str, inputs: PropertyMap) -> ProviderCalls:
        config = public_config(inputs)
        is_known = not contains_unknown(config)
        if is_known:
            ctx = CallContext(urn=urn, type=type_token, name=urns.name_of(urn), preview=self._preview)
            guarded(lambda: instance.configure(ctx, config if instance.accepts_secrets else unwrap_secrets(config)))
        elif not self._preview:
            raise OperationError(f"{urn}: the configuration of the provider is not known", where=urn)
        return ProviderCalls(instance, configured=is_known, preview=self._preview)

    # ------------------------------------------------------------ life

    def _start(self, source: ProviderSource) -> Provider:
        instance = self._load(source)
        instance.on_message = self._on_message
        with self._lock:
            self._instances.append(instance)
            is_late = self._cancelled
        if is_late:
            # A step that was allowed just before the cancelling would wait in it unhindered.
            _try(instance.cancel)
        return instance

    def _stop(self, instance: Provider) -> None:
        with self._lock:
            self._instances.remove(instance)
        instance.close()

    def cancel(self) -> None:
        """Ask every provider to end its waits, those too that start later."""
        with self._lock:
            self._cancelled = True
            instances = list(self._instances)
        for instance in instances:
            _try(instance.cancel)

    def close(self) -> None:
        """Free every instance."""
        with self._lock:
            instances, self._instances = self._instances, []
        for instance in instances:
            _try(instance.close)


def _try(end: Callable[[], None]) -> None:
    """One provider that cannot end well must not keep the others from ending."""
    try:
        end()
    except Exception:  # noqa: BLE001 - a provider is foreign code, and nothing depends on it any more
        _log.warning("a provider did not end well", exc_info=True)


def reference_to(urn: str, provider_id: str) -> str:
    """The reference to a provider record; an empty id is not known yet."""
    return f"{urn}::{provider_id or UNKNOWN_SENTINEL}"


def public_config(inputs: PropertyMap) -> PropertyMap:
    """A provider record's inputs without what belongs to the engine alone."""
    return {key: value for key, value in inputs.items() if key != INTERNAL_KEY}


def _source_of(type_token: str, inputs: PropertyMap) -> ProviderSource:
    details: PropertyMap = inputs.get(INTERNAL_KEY) or {}
    if "parameterization" in details:
        raise OperationError(
            f"{urns.package_of(type_token)} is a parameterized package, which this engine does not support"
        )
    version = unwrap_secrets(inputs.get(VERSION_KEY, ""))
    return ProviderSource(
        package=urns.package_of(type_token),
        version=version if isinstance(version, str) else "",
        plugin_download_url=str(details.get("pluginDownloadURL", "")),
    )


# ---------------------------------------------------------------- default providers


def default_provider_name(version: str, plugin_download_url: str = "") -> str:
    """`default_7_51_1`; pre-release, build and URL parts follow, with what a name cannot hold made an underscore."""
    release, _, build = version.partition("+")
    core, _, pre = release.partition("-")
    parts = ["default", *core.split("."), *pre.split("."), *build.split("."), plugin_download_url]
    name = "_".join(part for part in parts if part)
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "_" for letter in name)


def default_provider_goal(source: ProviderSource, config: Mapping[str, str], secret_keys: frozenset[str]) -> Goal:
    """The registration of a default provider: its inputs are the stack's configuration in the package's namespace."""
    inputs: PropertyMap = {}
    for full_key, text in config.items():
        namespace, _, key = full_key.partition(":")
        if namespace == source.package:
            inputs[key] = Secret(text) if full_key in secret_keys else text
    return Goal(
        type=f"{urns.PROVIDER_TYPE_PREFIX}{source.package}",
        name=default_provider_name(source.version, source.plugin_download_url),
        custom=True,
        inputs=inputs,
        version=source.version,
        plugin_download_url=source.plugin_download_url,
    )


def with_engine_inputs(goal: Goal) -> PropertyMap:
    """A provider registration's inputs with the version and the engine's own part, as the state keeps them.

    The part is there, if only empty, wherever the engine has set something; a provider of no version and no URL has none.
    """
    internal: PropertyMap = {"pluginDownloadURL": goal.plugin_download_url} if goal.plugin_download_url else {}
    version: PropertyMap = {VERSION_KEY: goal.version} if goal.version else {}
    return {**goal.inputs, **version, **({INTERNAL_KEY: internal} if internal or version else {})}


def refuse_disabled_default(package: str, type_token: str, config: Mapping[str, str]) -> None:
    """Raise UsageError when the stack's configuration forbids the package's default provider."""
    text = config.get(DISABLE_DEFAULTS_KEY)
    if not text:
        return
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list):
        raise UsageError(f"{DISABLE_DEFAULTS_KEY} must be a JSON list of package names, got {text!r}")
    if package in names or "*" in names:
        raise UsageError(
            f"the default provider of {package!r} is disabled, and {type_token} has no explicit one",
            where=DISABLE_DEFAULTS_KEY,
            remedy="pass `provider` in its options, or take the package off the list",
        )
