"""The page at `/`: who answers, and the newest orders. One document, without scripts or anything loaded from elsewhere."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template

from orders.model import NewOrder, Order
from orders.settings import Settings

TEMPLATE = Template((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))
HEADERS = {
    "Cache-Control": "no-store",  # two colours answer at one address: a kept page would tell of the wrong one
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
}
COLUMNS = ("id", *NewOrder.model_fields, "created_at")
"""Taken from the model, so that a field which a version adds is shown by that version."""


def render_page(settings: Settings, *, schema: str, orders: Sequence[Order] | None) -> str:
    """The document; `orders` is None where the database did not answer."""
    return TEMPLATE.substitute(
        version=escape(settings.app_version),
        release=escape(settings.app_release),
        colour=escape(settings.app_colour),
        schema=escape(schema),
        orders=_render_orders(orders),
    )


def _render_orders(orders: Sequence[Order] | None) -> str:
    if orders is None:
        return '<p class="note">The database did not answer.</p>'
    if not orders:
        return '<p class="note">None yet. POST one to <a href="/orders">/orders</a>.</p>'
    head = "".join(f"<th{_style(column)}>{column.removesuffix('_at')}</th>" for column in COLUMNS)
    rows = "\n".join(f"<tr>{_render_cells(order)}</tr>" for order in orders)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _render_cells(order: Order) -> str:
    return "".join(f"<td{_style(column)}>{_text(getattr(order, column))}</td>" for column in COLUMNS)


def _style(column: str) -> str:
    return {"id": ' class="number"', "quantity": ' class="number"', "item": ' class="item"'}.get(column, "")


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return escape(str(value))
