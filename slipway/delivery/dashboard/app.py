"""The dashboard's web application."""

from __future__ import annotations

# ruff: noqa: ARG002 - starlette gives every page its request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from slipway.delivery.dashboard import wording
from slipway.delivery.dashboard.charts import CHARTS, render_chart
from slipway.delivery.dashboard.overview import Overview, period_of, settings_of
from slipway.delivery.model.age import ago
from slipway.delivery.reporting import as_json
from slipway.errors import NotFoundError, SlipwayError

FOLDER = Path(__file__).parent
SHOWN = {
    "ago": ago,
    "charts": CHARTS,
    "period_of": period_of,
    **{name: value for name, value in vars(wording).items() if name.islower() and callable(value)},
}
"""What every template may use."""


class NameConvertor(StringConvertor):
    """A stack's or service's name, or a rollout's id; a longer one would be no key of the ledger's."""

    regex = "[^/]{1,100}"


register_url_convertor("name", NameConvertor())


class OneMeaning:
    """Refuses a request that a proxy before this server may read otherwise: with two hosts, or with two ends of its body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        names = [bytes(name).lower() for name, _ in scope["headers"]]
        if names.count(b"host") > 1 or {b"content-length", b"transfer-encoding"} <= set(names):
            await PlainTextResponse("Ambiguous request", status_code=400)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class Dashboard:
    """The pages. Reading is slow and may fail: it happens in threads, and a failure is said on the page."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
        )

    async def page(self, request: Request) -> Response:
        """Everything."""
        try:
            places, problem = await run_in_threadpool(self._overview.places), ""
        except SlipwayError as error:
            places, problem = (), str(error)
        return self._html("page.html.j2", places=places, problem=problem)

    async def rollout(self, request: Request) -> Response:
        """One rollout with its whole journal."""
        names = request.path_params
        try:
            found = await run_in_threadpool(
                self._overview.rollout, names["environment"], names["service"], names["rollout"]
            )
        except SlipwayError as error:
            return self._problem(error)
        return self._html("rollout.html.j2", rollout=found)

    async def chart(self, request: Request) -> Response:
        """One chart of one place."""
        names = request.path_params
        chart = CHARTS.get(names["chart"])
        if chart is None:
            return self._problem(NotFoundError(f"there is no chart {names['chart']}"))
        try:
            series = await run_in_threadpool(self._overview.series, names["environment"], names["service"])
            place = await run_in_threadpool(self._overview.place, names["environment"], names["service"])
            image = await run_in_threadpool(render_chart, chart, series, settings_of(place))
        except SlipwayError as error:
            return self._problem(error)
        return Response(image, media_type="image/svg+xml")

    async def data(self, request: Request) -> Response:
        """The same as `slipway status --json`."""
        try:
            return JSONResponse(as_json(await run_in_threadpool(self._overview.places)))
        except SlipwayError as error:
            return self._problem(error)

    def _html(self, template: str, **values: Any) -> Response:
        shown = {**SHOWN, "now": self._overview.now(), **values}
        return HTMLResponse(self._templates.get_template(template).render(shown))

    @staticmethod
    def _problem(error: SlipwayError) -> Response:
        status = 404 if isinstance(error, NotFoundError) else 502
        return PlainTextResponse(str(error), status_code=status)


def build_app(overview: Overview, *, hosts: Sequence[str]) -> ASGIApp:
    """The application; it answers requests that name one of `hosts` only, so that no foreign page reads it through a name of its own."""
    pages = Dashboard(overview)
    place = "{environment:name}/{service:name}"
    routes = [
        Route("/", pages.page),
        Route("/status.json", pages.data),
        Route(f"/rollouts/{place}/{{rollout:name}}", pages.rollout),
        Route(f"/charts/{place}/{{chart}}.svg", pages.chart),
        Mount("/static", StaticFiles(directory=FOLDER / "static")),
    ]
    return OneMeaning(TrustedHostMiddleware(Starlette(routes=routes), list(hosts), www_redirect=False))
