"""How the service starts, and how it leaves without losing a request. Not proven here: the listener itself."""

import asyncio
import signal
from urllib.parse import parse_qsl, urlsplit

import pytest
import uvicorn
from botocore.credentials import Credentials
from sqlalchemy.engine import make_url

from orders.draining import DrainingServer
from orders.settings import load_settings
from orders.tokens import DatabaseTokens
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


def test_refuses_two_ways_to_log_in_none_and_a_token_for_whoever_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    both, neither = {"DATABASE_REGION": "eu-west-1"}, {"DATABASE_PASSWORD": None}
    for changes, why in (
        (both, "want either DATABASE_PASSWORD, or DATABASE_REGION"),
        (neither, "want either DATABASE_PASSWORD, or DATABASE_REGION"),
        ({**both, **neither}, "want DATABASE_CA_FILE"),
    ):
        with monkeypatch.context() as environment:
            for name, value in changes.items():
                environment.setenv(name, value) if value else environment.delenv(name)
            with pytest.raises(SystemExit, match=why):
                load_settings()


def test_token_is_for_one_user_and_endpoint_and_the_server_is_verified() -> None:
    made = settings(database_password=None, database_region="eu-west-1", database_ca_file="/etc/ca.pem")
    assert made.database_url.query == {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"}
    assert made.database_url.password is None
    tokens = DatabaseTokens(
        host="db",
        port=5432,
        user="orders_app",
        region="eu-west-1",
        credentials=lambda: Credentials("AKIA", "secret", "t"),
    )
    parts = urlsplit(f"https://{tokens()}")
    query = dict(parse_qsl(parts.query))
    assert (parts.netloc, query["Action"], query["DBUser"]) == ("db:5432", "connect", "orders_app")
    assert (query["X-Amz-Expires"], query["X-Amz-Security-Token"]) == ("900", "t")
    assert query["X-Amz-Credential"].endswith("/eu-west-1/rds-db/aws4_request")
