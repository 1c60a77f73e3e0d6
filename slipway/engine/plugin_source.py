"""Where provider instances come from: the engine's own ones first, then plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from slipway.engine.deployment.providers import ProviderSource
from slipway.engine.project import Project
from slipway.engine.provider import Provider


class PluginSource:
    """Starts providers by package."""

    def __init__(
        self, providers: Mapping[str, Callable[[], Provider]], *, project: Project, environ: Mapping[str, str]
    ) -> None:
        """`providers`: in-process ones by package; they come before any plugin."""
        self._providers = dict(providers)
        self._project = project
        self._environ = environ

    def load(self, source: ProviderSource) -> Provider:
        """A new instance. Raises UsageError, naming the package, when there is none."""
        make = self._providers.get(source.package)
        if make is not None:
            return make()
        from slipway.engine.plugins.client import resolve_provider  # noqa: PLC0415 - grpc and the SDK, a quarter of a second

        return resolve_provider(
            source.package,
            source.version,
            environ=self._environ,
            local_paths=self._project.provider_paths,
            project_directory=self._project.program_directory,
        )
