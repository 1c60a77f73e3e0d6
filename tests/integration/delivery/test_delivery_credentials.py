"""Row 6 of the review of AWS: sessions that end while a rollout goes on, by a clock that tests move."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from werkzeug import Response
from werkzeug.serving import make_server

from slipway import delivery
from slipway.delivery.adapters.aws import session
from slipway.delivery.adapters.credentials import read_credentials
from slipway.delivery.adapters.elbv2 import Elbv2LoadBalancer
from slipway.delivery.model.colour import Colour, Weights
from slipway.delivery.model.credentials import Credentials
from slipway.delivery.model.observation import BalancerState, Health
from slipway.delivery.model.route import Routes
from slipway.delivery.model.target import LoadBalancerRef
from slipway.delivery.ports import LoadBalancer, StackResult
from slipway.delivery.testing.clock import ManualClock
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import SimulatedStack
from tests.integration.delivery.conftest import REGION, OneAtATime

ROLE = "arn:aws:iam::123456789012:role/deploy"
SESSION_SECONDS = 900
TAKE_ROLE = f"""
import json, os, re, urllib.parse, urllib.request
asked = {{"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": "{ROLE}"}}
asked |= {{"RoleSessionName": "test", "DurationSeconds": {SESSION_SECONDS}}}
signed = "AWS4-HMAC-SHA256 Credential=AKIAX/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=x"
request = urllib.request.Request(
    os.environ["AWS_ENDPOINT_URL"], urllib.parse.urlencode(asked).encode(), {{"Authorization": signed}}
)
said = urllib.request.urlopen(request).read().decode()
names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
print(json.dumps({{"Version": 1, **{{name: re.search(f"<{{name}}>(.*?)</", said)[1] for name in names}}}}))
"""
"""A profile's `credential_process`, as SSO helpers are. moto looks at no signature."""


class Sessions:
    """moto, with sessions that end by the clock, as AWS's do."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._moto = OneAtATime()
        self.ends: dict[str, datetime] = {}
        self.refused = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        key = re.search("Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        if key and self.ends.get(key[1], self._clock.now()) < self._clock.now():
            self.refused += 1
            error = "<Code>ExpiredToken</Code><Message>The security token included in the request is expired</Message>"
            body = f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>"
            return Response(body, 403, content_type="text/xml")(environ, start_response)
        response = Response.from_app(self._moto, environ)
        said = response.get_data().decode(errors="replace")
        if "<AssumeRoleResult>" in said:
            ends = self._clock.now() + timedelta(seconds=SESSION_SECONDS)
            self.ends[re.search("<AccessKeyId>(.*?)<", said)[1]] = ends  # type: ignore[index]
            response.set_data(re.sub("<Expiration>.*?<", f"<Expiration>{ends:%Y-%m-%dT%H:%M:%SZ}<", said))
        return response(environ, start_response)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def sessions(clock: ManualClock, aws: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sessions]:
    """AWS's API for this test, reached without exported keys."""
    guarded = Sessions(clock)
    server = make_server("127.0.0.1", 0, guarded, threaded=True)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    session.cache_clear()
    yield guarded
    session.cache_clear()
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The AWS SDK's file of profiles."""
    (tmp_path / "take_role.py").write_text(TAKE_ROLE)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path


def renewing(profiles: Path, name: str = "default") -> str:
    return f"[{name}]\ncredential_process = {sys.executable} -I -S {profiles / 'take_role.py'}\n"


class AskedThrough:
    """The simulated load balancer, each call of which is made to AWS's API, too."""

    def __init__(self, simulated: LoadBalancer, real: Elbv2LoadBalancer) -> None:
        self._simulated, self._real = simulated, real

    def read(self, *, test: bool = False, routes: bool = False) -> BalancerState:
        self._real.read(test=test, routes=routes)
        return self._simulated.read(test=test, routes=routes)

    def move(self, weights: Weights) -> None:
        self._real.move(weights)
        self._simulated.move(weights)

    def point_test(self, colour: Colour) -> None:
        self._real.point_test(colour)
        self._simulated.point_test(colour)

    def set_routes(self, routes: Routes) -> None:
        self._real.set_routes(routes)
        self._simulated.set_routes(routes)

    def health(self, colour: Colour) -> Health:
        self._real.health(colour)
        return self._simulated.health(colour)


class AskingStack(SimulatedStack):
    """Asks AWS as `pulumi up` does: with no key of this process, but what is found in the environment when it starts."""

    def up(self) -> StackResult:
        boto3.Session(region_name=REGION).client("sts").get_caller_identity()
        return super().up()


def test_rollout_of_45_minutes_completes_with_sessions_of_15(
    reference: LoadBalancerRef, clock: ManualClock, sessions: Sessions, profiles: Path
) -> None:
    (profiles / "config").write_text(renewing(profiles))
    found: Any = session(REGION).get_credentials()
    found._time_fetcher = clock.now  # when botocore thinks that a session ends
    # By default it renews what ends within 15 minutes, which here is with each call.
    found._advisory_refresh_timeout, found._mandatory_refresh_timeout = 120, 60
    rehearsal = Rehearsal(clock=clock)
    environment = rehearsal.environment("dev", bakeSeconds=900, analysisIntervalSeconds=300)
    real = Elbv2LoadBalancer(reference, REGION)
    ctx = rehearsal.context("dev")
    ctx = replace(
        ctx,
        stack=AskingStack(environment),
        connect=lambda target: replace(
            world := rehearsal.context("dev").connect(target), balancer=AskedThrough(world.balancer, real)
        ),
        credentials=lambda: read_credentials(REGION),
    )
    began = clock.now()
    for version in ("1.0.0", "2.0.0"):
        rehearsal.check_out(version)
        assert delivery.release(ctx).status == "completed"
    assert clock.now() - began >= timedelta(minutes=45)
    assert sessions.refused == 0
    ends = sorted(sessions.ends.values())
    assert ends[-1] - ends[0] >= timedelta(minutes=45), "the last ones were made late"


EXPORTED = {"AWS_ACCESS_KEY_ID": "ASIAX", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "x"}
LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
BELOW = f"[profile way]\nrole_arn = {ROLE}\nsource_profile = below\n"


@pytest.mark.parametrize(
    ("environ", "config", "credentials", "want"),
    [
        (EXPORTED | {"AWS_SESSION_TOKEN": ""}, "", "", Credentials(source="environment", lasting=True)),
        (EXPORTED, "", "", Credentials(source="environment", lasting=False)),
        (
            EXPORTED | {"AWS_CREDENTIAL_EXPIRATION": LATER.isoformat()},
            "",
            "",
            Credentials(source="environment", lasting=False, ends_at=LATER),
        ),
        ({}, "", "[default]\naws_access_key_id=AKIAX\naws_secret_access_key=x\n", True),
        ({}, "", "[default]\naws_access_key_id=ASIAX\naws_secret_access_key=x\naws_session_token=x\n", False),
        ({}, "PROCESS", "", True),
        ({"AWS_PROFILE": "way"}, BELOW, "[below]\naws_access_key_id=AKIAX\naws_secret_access_key=x\n", True),
        (
            {"AWS_PROFILE": "way"},
            BELOW,
            "[below]\naws_access_key_id=ASIAX\naws_secret_access_key=x\naws_session_token=x\n",
            False,
        ),
        ({}, "", "", True),
    ],
    ids=["key", "token", "token-with-end", "file", "token-in-file", "process", "role-by-key", "role-by-token", "none"],
)
def test_which_credentials_last(
    *,
    sessions: Sessions,
    profiles: Path,
    monkeypatch: pytest.MonkeyPatch,
    environ: Mapping[str, str],
    config: str,
    credentials: str,
    want: Credentials | bool,
) -> None:
    del sessions
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    (profiles / "config").write_text(renewing(profiles) if config == "PROCESS" else config)
    (profiles / "credentials").write_text(credentials)
    found = read_credentials(REGION)
    assert (found if isinstance(want, Credentials) else found.lasting) == want
