"""Charts of a place's traffic, as SVG."""
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pygal has no types.

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pygal
from pygal.style import Style

from slipway.delivery.model.colour import Colour
from slipway.delivery.model.series import Point, Series
from slipway.delivery.model.target import RolloutSettings

LIMIT_COLOUR = "#d4453c"
COLOURS = {Colour.BLUE: "#4080ee", Colour.GREEN: "#22a35f"}
GREY = "#7d8896"
STYLE = Style(
    **dict.fromkeys(("background", "plot_background"), "transparent"),
    **dict.fromkeys(("foreground", "foreground_strong", "foreground_subtle"), GREY),
    **dict.fromkeys(("guide_stroke_color", "major_guide_stroke_color"), f"{GREY}33"),
    **dict.fromkeys(("label_font_size", "major_label_font_size"), 11),
    **dict.fromkeys(("title_font_size", "no_data_font_size"), 13),
    colors=(*COLOURS.values(), LIMIT_COLOUR),
    stroke_width=2,
    stroke_opacity=1,
    font_family="system-ui, sans-serif",
)
LABELS = 4
ABOVE_LIMIT = f"inline:.title{{fill:{LIMIT_COLOUR} !important}}"


@dataclass(frozen=True)
class Chart:
    """What one chart shows of a period."""

    title: str
    value: Callable[[Point, int], float | None]
    """Of a point and the period's seconds; None: a gap."""
    limit: Callable[[RolloutSettings], float | None] = lambda _: None
    """What a release is judged by, in the chart's unit."""


CHARTS: Mapping[str, Chart] = {
    "requests": Chart("requests a second", lambda point, seconds: point.requests / seconds),
    "errors": Chart(
        "errors, in percent",
        lambda point, _: None if point.error_ratio is None else 100 * point.error_ratio,
        lambda settings: 100 * settings.max_error_ratio,
    ),
    "latency": Chart(
        "99th percentile, in ms",
        lambda point, _: None if point.p99_seconds is None else 1000 * point.p99_seconds,
        lambda settings: 1000 * settings.max_p99_seconds,
    ),
}


def render_chart(chart: Chart, series: Mapping[Colour, Series], settings: RolloutSettings | None) -> bytes:
    """One SVG document with a line for each colour and one for the limit; nothing in it is loaded from elsewhere.

    The title is red while the newest value of a colour is above the limit.
    """
    limit = chart.limit(settings) if settings else None
    values = {
        colour: [chart.value(point, found.period_seconds) for point in found.points] for colour, found in series.items()
    }
    known = [value for each in values.values() for value in each if value is not None]
    newest = [next((value for value in reversed(each) if value is not None), 0.0) for each in values.values()]
    above = limit is not None and max(newest, default=0.0) > limit
    top = 1.1 * max(known, default=0.0)
    if (limit is not None and limit < 4 * top) or not top:  # further away, the limit would press the lines flat
        top = max(top, 1.1 * (limit or 1.0))
    drawn: Any = pygal.Line(
        style=STYLE,
        js=(),
        css=("file://style.css", "file://graph.css", *([ABOVE_LIMIT] if above else [])),
        title=chart.title if limit is None else f"{chart.title} (limit {limit:g})",
        width=420,
        height=170,
        explicit_size=True,
        margin=6,
        margin_right=30,  # half a label
        show_dots=False,
        show_legend=False,
        show_minor_x_labels=False,
        x_labels_major_count=LABELS,
        y_labels_major_count=LABELS,
        show_minor_y_labels=False,
        truncate_label=-1,
        range=(0, top),
        value_formatter=_number,
        no_data_text="no requests",
    )
    longest = max(series.values(), key=lambda each: len(each.points), default=None)
    form = "%H:%M" if longest and longest.period_seconds >= 60 else "%H:%M:%S"
    drawn.x_labels = [point.at.astimezone().strftime(form) for point in longest.points] if longest else []
    for colour in COLOURS:
        drawn.add(colour.value, values.get(colour, [None]))
    if limit is not None and limit < top and known:
        drawn.add("limit", [limit] * len(drawn.x_labels), stroke_style={"dasharray": "5, 4"})
    return drawn.render()


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
