"""Which provider serves a registration: its own, its ancestors', or the package's default one, registered on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from slipway.engine.deployment.context import Deployment, Registered, TerminatedError
from slipway.engine.deployment.goal import Goal, ReadGoal
from slipway.engine.deployment.providers import (
    ProviderSource,
    default_provider_goal,
    reference_to,
    refuse_disabled_default,
)
from slipway.engine.urn import package_of, parse_provider_reference


class ProviderResolution:
    """Finds, and where need be registers, the provider of a resource or function. Thread-safe."""

    def __init__(self, deployment: Deployment, register: Callable[[Goal], Registered]) -> None:
        self._deployment = deployment
        self._register = register
        self._lock = threading.Lock()
        self._defaults: dict[ProviderSource, _Default] = {}
        self._maps: dict[str, Mapping[str, str]] = {}
        """The `providers` of each component, its ancestors' included, by URN."""

    def resolve(self, goal: Goal) -> Goal:
        """The goal with its provider reference filled in."""
        if not goal.custom:
            inherited = self._maps.get(goal.parent, {})
            own = {**goal.providers}
            if goal.provider:
                own.setdefault(package_of(parse_provider_reference(goal.provider).urn.split("::")[2]), goal.provider)
            urn = self._deployment.urn_of(goal.parent, goal.type, goal.name)
            with self._lock:
                self._maps[urn] = {**inherited, **own}
            return goal
        if goal.is_provider:
            return goal
        source = ProviderSource(
            package=goal.package, version=goal.version, plugin_download_url=goal.plugin_download_url
        )
        return replace(goal, provider=self.find(goal.type, source, goal.provider, goal.providers, goal.parent))

    def resolve_read(self, goal: ReadGoal) -> ReadGoal:
        """The read with its provider reference filled in."""
        source = ProviderSource(
            package=package_of(goal.type), version=goal.version, plugin_download_url=goal.plugin_download_url
        )
        return replace(goal, provider=self.find(goal.type, source, goal.provider, {}, goal.parent))

    def find(self, token: str, source: ProviderSource, own: str, providers: Mapping[str, str], parent: str) -> str:
        """The reference of the provider that serves `token`."""
        reference = own or providers.get(source.package) or self._maps.get(parent, {}).get(source.package)
        return reference or self._default(token, source)

    def _default(self, token: str, source: ProviderSource) -> str:
        config = self._deployment.config
        if source.package != "pulumi":
            refuse_disabled_default(source.package, token, config.values)
        with self._lock:
            default = self._defaults.get(source)
            is_mine = default is None
            if default is None:
                default = self._defaults[source] = _Default()
        if not is_mine:
            default.done.wait()
            if not default.reference:
                raise TerminatedError
            return default.reference
        try:
            registered = self._register(default_provider_goal(source, config.values, config.secret_keys))
            default.reference = reference_to(registered.urn, registered.id)
        finally:
            default.done.set()
        return default.reference


class _Default:
    """A default provider on its way."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.reference = ""
