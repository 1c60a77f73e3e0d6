"""The page that a browser gets."""

import re
from html.parser import HTMLParser

import pytest

from orders.model import NewOrder
from tests.unit.app.orders_fakes import Site


class Document(HTMLParser):
    """The tags, links and cell texts of a page; AssertionError where a tag is not closed."""

    VOID = frozenset({"meta", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self._open[-1] != "style":
            self.texts.append(data.strip())


def test_page_shows_who_answers_and_the_newest_orders() -> None:
    site = Site()
    site.order("tea", 3)
    site.order("cups", 12)
    answer = site.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    texts = Document(answer.text).texts
    assert {"orders", "1.0.0", "blue", "r-7", "0001", "cups", "12", "2026-11-25 09:30:00 UTC"} <= set(texts)
    assert texts.index("cups") < texts.index("tea")


def test_page_links_to_everything_else_that_answers_and_loads_nothing() -> None:
    answer = Site().get("/")
    document = Document(answer.text)
    assert {"/orders", "/healthz", "/readyz", "/version"} <= set(document.addresses)
    assert all(address.startswith("/") or address == "data:," for address in document.addresses)
    assert not {"script", "img", "iframe"} & set(document.tags)
    assert "url(" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\"><b onclick='x'>", "$version & ${schema}"])
def test_page_shows_what_clients_and_settings_say_as_text(text: str) -> None:
    site = Site(app_release=text, app_colour=text)
    site.order(text)
    document = Document(site.get("/").text)
    assert not {"script", "b"} & set(document.tags)
    assert document.texts.count(text) == 3  # release, colour, item


def test_page_has_a_column_for_every_field_of_an_order() -> None:
    site = Site()
    site.order("tea")
    heads = re.findall(r"<th[^>]*>(\w+)</th>", site.get("/").text)
    assert heads == ["id", *NewOrder.model_fields, "created"]


def test_page_says_so_when_there_are_no_orders() -> None:
    assert "None yet." in site_text(Site())


def test_page_says_who_answers_when_the_database_is_down() -> None:
    site = Site()
    site.store.down = True
    assert site.get("/").status_code == 503
    texts = site_text(site)
    assert "The database did not answer." in texts
    assert "r-7" in texts
    assert "10.0.0.7" not in texts


def site_text(site: Site) -> str:
    return " ".join(Document(site.get("/").text).texts)
