"""Invokes: functions of providers, run in previews too."""

from __future__ import annotations

from slipway.engine.deployment.context import Deployment
from slipway.engine.deployment.defaults import ProviderResolution
from slipway.engine.deployment.providers import ProviderSource
from slipway.engine.provider import InvokeResult
from slipway.engine.urn import package_of
from slipway.engine.values import PropertyMap


class Functions:
    """Handles invokes."""

    def __init__(self, deployment: Deployment, resolution: ProviderResolution) -> None:
        self._deployment = deployment
        self._resolution = resolution

    def invoke(
        self, token: str, args: PropertyMap, *, provider: str = "", version: str = "", plugin_download_url: str = ""
    ) -> InvokeResult:
        """Run `token` with the given provider, else with the package's default one."""
        self._deployment.ensure_running()
        source = ProviderSource(package=package_of(token), version=version, plugin_download_url=plugin_download_url)
        reference = self._resolution.find(token, source, provider, {}, "")
        return self._deployment.providers.find(reference).invoke(token, args)
