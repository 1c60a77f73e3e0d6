"""What the orders service answers. Not proven here: its SQL; see the end-to-end tests, which run it on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY, generate_latest
from starlette.types import Message

from orders.api import MAX_BODY_BYTES
from tests.unit.app.orders_fakes import MADE_AT, Site


@pytest.fixture
def site() -> Site:
    return Site()


def test_health_does_not_depend_on_the_database(site: Site) -> None:
    site.store.down = True
    answer = site.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_once_the_database_answers(site: Site) -> None:
    answer = site.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_not_ready_before_the_database_has_answered(site: Site) -> None:
    site.store.down = True
    answer = site.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "database not reachable"})


def test_not_ready_but_still_answering_when_draining(site: Site) -> None:
    site.service.draining = True
    assert (site.get("/readyz").status_code, site.get("/readyz").json()) == (503, {"status": "draining"})
    assert site.order("tea").status_code == 201
    assert site.get("/healthz").status_code == 200


def test_version_says_who_answers(site: Site) -> None:
    want = {"version": "1.0.0", "release": "r-7", "colour": "blue", "schema": "0001"}
    assert site.get("/version").json() == want


def test_order_is_stored_and_found(site: Site) -> None:
    answer = site.order("tea", 3)
    want = {"id": 1, "item": "tea", "quantity": 3, "created_at": MADE_AT.isoformat().replace("+00:00", "Z")}
    assert answer.status_code == 201
    assert answer.json().items() >= want.items()
    assert site.get("/orders/1").json() == answer.json()
    assert site.get("/orders").json() == [answer.json()]


def test_listing_shows_the_newest_twenty_first(site: Site) -> None:
    for number in range(25):
        site.order(f"item {number}")
    assert [order["id"] for order in site.get("/orders").json()] == list(range(25, 5, -1))


def test_unknown_order_is_not_found(site: Site) -> None:
    answer = site.get("/orders/99")
    assert (answer.status_code, answer.json()) == (404, {"error": "no such order"})


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"item": "", "quantity": 1}, "item"),
        ({"item": "x" * 201, "quantity": 1}, "item"),
        ({"item": "nul \0 cannot be stored", "quantity": 1}, "item"),
        ({"item": "tea", "quantity": 0}, "quantity"),
        ({"item": "tea", "quantity": 10_001}, "quantity"),
        ({"item": "tea"}, "quantity"),
        ({"item": "tea", "quantity": "3"}, "quantity"),
        ({"item": "tea", "quantity": True}, "quantity"),
        ({"item": ["tea"], "quantity": 1}, "item"),
        ({"item": "tea", "quantity": 1, "price": 2}, "price"),
    ],
)
def test_refuses_an_order_and_names_the_field(site: Site, document: dict[str, object], field: str) -> None:
    answer = site.request("POST", "/orders", json=document)
    assert answer.status_code == 422
    assert [fault["loc"] for fault in answer.json()["errors"]] == [[field]]
    assert site.store.orders == []


def test_refuses_a_body_that_is_not_json(site: Site) -> None:
    assert site.request("POST", "/orders", content=b"tea, please").status_code == 422


def test_refuses_a_body_beyond_the_limit_before_it_is_read_whole(site: Site) -> None:
    sent = 0

    async def flood() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1024
            yield b" " * 1024

    assert site.request("POST", "/orders", content=flood()).status_code == 413
    assert sent <= MAX_BODY_BYTES + 2048


@pytest.mark.parametrize("number", ["9" * 19, "9" * 4301, "-1", "1e3", "%D9%A1"])
def test_what_can_be_no_order_s_number_is_not_found(site: Site, number: str) -> None:
    assert site.get(f"/orders/{number}").status_code == 404


@pytest.mark.parametrize("path", ["/orders", "/orders/1", "/version"])
def test_database_failure_is_the_servers_and_tells_nothing_of_it(site: Site, path: str) -> None:
    site.store.down = True
    answer = site.get(path)
    assert (answer.status_code, answer.json()) == (503, {"error": "the database did not answer"})


def test_metrics_count_requests_by_route_and_status(site: Site) -> None:
    def counted(method: str, route: str, status: int) -> float:
        labels = {"method": method, "route": route, "status": str(status)}
        return REGISTRY.get_sample_value("http_requests_total", labels) or 0.0

    before, others = counted("GET", "get_order", 404), counted("other", "none", 404)
    site.get("/orders/1")
    site.get("/orders/2")
    site.request("BREW", "/coffee")
    assert (counted("GET", "get_order", 404), counted("other", "none", 404)) == (before + 2, others + 1)
    assert b"/orders/1" not in generate_latest()
    assert b"BREW" not in generate_latest()


def test_client_that_leaves_in_the_middle_is_no_failure_of_the_service(site: Site) -> None:
    answers: list[Message] = []

    async def leave() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answers.append(message)

    scope = {"type": "http", "method": "POST", "path": "/orders", "query_string": b"", "headers": []}
    asyncio.run(site.service.application()(scope, leave, send))
    assert answers[0]["status"] == 400


def test_store_is_closed_when_the_service_ends(site: Site) -> None:
    async def live() -> None:
        application = site.service.application()
        async with application.router.lifespan_context(application):
            assert not site.store.closed

    asyncio.run(live())
    assert site.store.closed
