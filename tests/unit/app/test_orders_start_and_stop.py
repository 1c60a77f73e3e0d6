"""How the service starts, and how it leaves without losing a request. Not proven here: the listener itself."""

import asyncio
import signal

import pytest
import uvicorn
from sqlalchemy.engine import make_url

from orders.draining import DrainingServer
from orders.settings import load_settings
from tests.unit.app.orders_fakes import Site, settings

REQUIRED = {"DATABASE_HOST": "db", "DATABASE_NAME": "orders", "DATABASE_USER": "u", "DATABASE_PASSWORD": "s3cr3t"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_COLOUR", "green")
    monkeypatch.setenv("PORT", "9000")
    loaded = load_settings()
    assert (loaded.app_colour, loaded.port, loaded.database_port) == ("green", 9000, 5432)


def test_refuses_to_start_and_names_every_variable_but_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_HOST")
    monkeypatch.setenv("PORT", "http")
    with pytest.raises(SystemExit) as caught:
        load_settings()
    assert "DATABASE_HOST: Field required" in str(caught.value)
    assert "PORT: Input should be a valid integer" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_password_is_not_shown_but_reaches_the_database_whatever_is_in_it() -> None:
    made = settings(database_password="p@ss/w:rd%20?#")
    assert "p@ss" not in repr(made) + str(made.database_url)
    assert make_url(made.database_url.render_as_string(hide_password=False)) == made.database_url
    assert made.database_url.password == "p@ss/w:rd%20?#"


def server(site: Site) -> DrainingServer:
    return DrainingServer(uvicorn.Config(site.service.application()), site.service, drain_seconds=0)


def test_first_signal_drains_and_only_then_closes() -> None:
    async def story() -> None:
        site = Site()
        draining = server(site)
        draining.handle_exit(signal.SIGTERM, None)
        assert site.service.draining
        assert not draining.should_exit
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert draining.should_exit

    asyncio.run(story())


def test_second_signal_closes_at_once() -> None:
    async def story() -> None:
        draining = server(Site())
        draining._drain_seconds = 3600
        draining.handle_exit(signal.SIGTERM, None)
        assert not draining.should_exit
        draining.handle_exit(signal.SIGTERM, None)
        assert draining.should_exit

    asyncio.run(story())
