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

COLOURS = {Colour.BLUE: "#2f6fde", Colour.GREEN: "#1f9254"}
STYLE = Style(
    background="transparent",
    plot_background="transparent",
    foreground="#7d8896",
    foreground_strong="#7d8896",
    foreground_subtle="#7d8896",
    guide_stroke_color="#7d889633",
    major_guide_stroke_color="#7d889633",
    colors=tuple(COLOURS.values()),
    font_family="system-ui, sans-serif",
    label_font_size=11,
    major_label_font_size=11,
    legend_font_size=11,
    title_font_size=13,
    no_data_font_size=13,
)
LABELS = 4


@dataclass(frozen=True)
class Chart:
    """What one chart shows of a period."""

    title: str
    value: Callable[[Point, int], float | None]
    """Of a point and the period's seconds; None: a gap."""


CHARTS: Mapping[str, Chart] = {
    "requests": Chart("requests a second", lambda point, seconds: point.requests / seconds),
    "errors": Chart(
        "errors, in percent", lambda point, _: None if point.error_ratio is None else 100 * point.error_ratio
    ),
    "latency": Chart(
        "99th percentile, in ms", lambda point, _: None if point.p99_seconds is None else 1000 * point.p99_seconds
    ),
}


def render_chart(chart: Chart, series: Mapping[Colour, Series]) -> bytes:
    """One SVG document with a line for each colour; nothing in it is loaded from elsewhere."""
    drawn: Any = pygal.Line(
        style=STYLE,
        js=(),
        title=chart.title,
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
        stroke_style={"width": 2},
        range=(0, _top(chart, series)),
        value_formatter="{:.3g}".format,
        no_data_text="no requests",
    )
    longest = max(series.values(), key=lambda each: len(each.points), default=None)
    form = "%H:%M" if longest and longest.period_seconds >= 60 else "%H:%M:%S"
    drawn.x_labels = [point.at.astimezone().strftime(form) for point in longest.points] if longest else []
    for colour in COLOURS:
        found = series.get(colour)
        drawn.add(
            colour.value, [chart.value(point, found.period_seconds) for point in found.points] if found else [None]
        )
    drawn.add_xml_filter(_without_scripts)
    return drawn.render()


def _without_scripts(root: Any) -> Any:
    """pygal gives every drawing its settings as a script, which a picture has no use for."""
    for parent in root.iter():
        for child in [each for each in parent if str(each.tag).endswith("script")]:
            parent.remove(child)
    return root


def _top(chart: Chart, series: Mapping[Colour, Series]) -> float:
    """The upper end of the scale; a flat line of zeros needs one, too."""
    values = [chart.value(point, each.period_seconds) for each in series.values() for point in each.points]
    return max((value for value in values if value is not None), default=0.0) * 1.1 or 1.0
