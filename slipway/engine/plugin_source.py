"""Where provider instances come from: the engine's own ones first, then plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from slipway.engine.deployment.providers import ProviderSource
from slipway.engine.project import Project
from slipway.engine.provider import Provider
from slipway.errors import UsageError


class PluginSource:
    """Starts providers by package."""

    def __init__(
        self, providers: Mapping[str, Callable[[], Provider]], *, project: Project, environ: Mapping[str, str]
    ) -> None:
        self._providers = dict(providers)
        self._project = project
        self._environ = environ

    def load(self, source: ProviderSource) -> Provider:
        """A new instance. Raises UsageError, naming the package, when there is none."""
        make = self._providers.get(source.package)
        if make is not None:
            return make()
        raise UsageError(
            f"no provider for package '{source.package}'",
            remedy=f"pass one to the engine, set PULUMI_DEBUG_PROVIDERS={source.package}:<port>, "
            f"or install pulumi-resource-{source.package}",
        )
