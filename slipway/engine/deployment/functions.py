"""Questions to providers that register nothing: functions, and whether a resource exists. Asked in previews too."""

from __future__ import annotations

from slipway.engine.deployment.context import Deployment
from slipway.engine.deployment.defaults import ProviderResolution
from slipway.engine.deployment.goal import ReadGoal
from slipway.engine.deployment.providers import ProviderSource
from slipway.engine.provider import CallContext, InvokeResult
from slipway.engine.urn import package_of
from slipway.engine.values import UNKNOWN, PropertyMap, contains_unknown


class Functions:
    """Handles invokes and existence checks."""

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

    def exists(self, goal: ReadGoal) -> bool | None:
        """Whether a live resource of that id exists; None: not known yet (the id is not, in a preview)."""
        self._deployment.ensure_running()
        goal = self._resolution.resolve_read(goal)
        calls = self._deployment.providers.find(goal.provider)
        if goal.id is UNKNOWN or contains_unknown(goal.inputs) or not calls.configured:
            return None
        ctx = CallContext(
            urn=self._deployment.urn_of(goal.parent, goal.type, goal.name),
            type=goal.type,
            name=goal.name,
            preview=self._deployment.preview,
        )
        return bool(calls.read(ctx, goal.id, goal.inputs, goal.inputs).id)
