"""The dashboard's web application."""

from __future__ import annotations

# ruff: noqa: ARG002 - starlette gives every page its request
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from slipway.delivery.dashboard.charts import CHARTS, render_chart
from slipway.delivery.dashboard.overview import Overview
from slipway.delivery.model.rollout import Rollout
from slipway.delivery.model.status import PlaceStatus
from slipway.delivery.reporting import as_json
from slipway.errors import NotFoundError, SlipwayError

FOLDER = Path(__file__).parent
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self'; "
    "style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
CHART_HEADERS = HEADERS | {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


class NameConvertor(StringConvertor):
    """A stack's or service's name, or a rollout's id; a longer one would be no key of the ledger's."""

    regex = "[^/]{1,100}"


register_url_convertor("name", NameConvertor())


class Dashboard:
    """The pages. Reading is slow and may fail: it happens in threads, and a failure is said on the page."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=jinja2.StrictUndefined
        )

    async def page(self, request: Request) -> Response:
        """Everything."""
        places, problem = await self._places()
        return self._html("page.html.j2", places=places, problem=problem)

    async def fragment(self, request: Request) -> Response:
        """What changes of the page; the script asks for it every few seconds."""
        places, problem = await self._places()
        return self._html("places.html.j2", places=places, problem=problem)

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
            image = await run_in_threadpool(render_chart, chart, series)
        except SlipwayError as error:
            return self._problem(error)
        return Response(image, media_type="image/svg+xml", headers=CHART_HEADERS)

    async def data(self, request: Request) -> Response:
        """The same as `slipway status --json`."""
        try:
            return JSONResponse(as_json(await run_in_threadpool(self._overview.places)), headers=HEADERS)
        except SlipwayError as error:
            return self._problem(error)

    async def _places(self) -> tuple[Sequence[PlaceStatus], str]:
        try:
            return await run_in_threadpool(self._overview.places), ""
        except SlipwayError as error:
            return (), str(error)

    def _html(self, template: str, **values: Any) -> Response:
        shown = {"now": datetime.now(UTC), "charts": CHARTS, "ago": ago, "clock": clock, "headline": headline, **values}
        return HTMLResponse(self._templates.get_template(template).render(shown), headers=HEADERS)

    @staticmethod
    def _problem(error: SlipwayError) -> Response:
        status = 404 if isinstance(error, NotFoundError) else 502
        return PlainTextResponse(str(error), status_code=status, headers=HEADERS)


def build_app(overview: Overview, *, hosts: Sequence[str] = ("*",)) -> Starlette:
    """The application; it answers requests that name one of `hosts` only, so that no foreign page reads it through a name of its own."""
    pages = Dashboard(overview)
    place = "{environment:name}/{service:name}"
    routes = [
        Route("/", pages.page),
        Route("/places", pages.fragment),
        Route("/status.json", pages.data),
        Route(f"/rollouts/{place}/{{rollout:name}}", pages.rollout),
        Route(f"/charts/{place}/{{chart}}.svg", pages.chart),
        Mount("/static", StaticFiles(directory=FOLDER / "static")),
    ]
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))])


def ago(moment: datetime, now: datetime) -> str:
    """How long since, in the largest unit that fits: `5 min`."""
    seconds = max((now - moment).total_seconds(), 0)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def clock(moment: datetime) -> str:
    """In the zone of whoever runs the dashboard."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def headline(rollout: Rollout) -> str:
    """What a rollout is, or was, in a few words."""
    candidate = rollout.candidate
    name = f"{rollout.kind.value} {candidate.version}" if candidate else rollout.kind.value
    return f"{name}: {rollout.phase.value}"
