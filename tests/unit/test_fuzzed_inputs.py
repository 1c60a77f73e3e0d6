"""Whatever people, the ledger and HTTP clients send: no bug report (exit 70), no traceback, no hang, no 5xx.

Inputs that found a fault are kept and tried first. Not proven here: the listeners' own parsing of HTTP, and what AWS refuses.
"""

from __future__ import annotations

import asyncio
import copy
import json
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer.main
import yaml

from infra.settings import SettingsError, parse_settings
from slipway import delivery
from slipway.cli import app as cli
from slipway.cli.delivery import options
from slipway.cli.session import Session
from slipway.delivery import wiring
from slipway.delivery.adapters.checkout import Checkout
from slipway.delivery.adapters.dynamodb_ledger import DynamoLedger
from slipway.delivery.adapters.table import Item
from slipway.delivery.dashboard import Overview, build_app
from slipway.delivery.model.colour import Colour
from slipway.delivery.model.rollout import Phase
from slipway.delivery.model.wanted import dump_wanted
from slipway.delivery.reporting import as_json, read_status
from slipway.delivery.testing.rehearsal import Rehearsal
from slipway.delivery.testing.world import Behaviour
from slipway.errors import OperationError, UsageError
from tests.fuzzing import PIECES, VALUES, mutated_bytes, mutated_value, try_all
from tests.unit.app.orders_fakes import Site

ROOT = Path(__file__).parents[2]
PLACE = delivery.Place(environment="dev", service="orders")
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], k{n}: 1}}\n" for n in range(1, 30))


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some, or boto3 asks the machine's metadata service for them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nobody")


@cache
def released() -> Rehearsal:
    """dev with a good release and one that was rolled back, a hold, a lease and an asking for abort."""
    company = Rehearsal()
    company.environment("dev")
    for version in ("1.0.0", "1.1.0"):
        company.check_out(version)
        planned = delivery.release(company.context("dev"), dry_run=True).plan
        assert planned
        assert planned.release
        if version != "1.0.0":
            company.environment("dev").behaviour[planned.release.id] = Behaviour(error_ratio=0.5)
        try:
            delivery.release(company.context("dev"))
        except delivery.ReleaseRolledBackError as error:
            company.ledger.request_abort(PLACE, error.rollout.id, "late")
    context = company.context("dev")
    company.ledger.acquire(PLACE, context.owner, "release", company.clock.now())
    return company


def run_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> int:
    """Exit code of a command line, which ended with at most one message and its remedy."""
    monkeypatch.setattr(sys, "argv", ["slipway", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.run()
    told = capsys.readouterr().err
    assert ended.value.code != cli.BUG, told
    assert "Traceback" not in told
    assert not any(character < " " or "\x7f" <= character < "\xa0" for character in told.replace("\n", "")), told
    code = ended.value.code
    assert isinstance(code, int)
    if code and "Usage:" not in told:
        assert told.count("\n") <= 2, told
    return code


# -- files


def kept_files() -> Iterator[tuple[str, bytes]]:
    good = "config:\n  slipway:service: {name: orders}\n  aws:region: us-east-1\n"
    faults = (
        *("[]", "5", "config: []", "config: 5", "config: {a: 2026-02-30}", "a: !!int ''", "a: !!timestamp x", "a: !!python/name:os.x"),
        *("a: &a [*a]", BOMB, MERGES, "a: " + "[" * 5000, "a: {" * 5000, "a: 1\na: 2", "? [a]\n: b", "<<: 5", "- " * 3000, "a: \x00"),
        *('"\\e[31m": 1\n"\\e[31m": 2', "1:59" + ":59" * 100_000, "a: " + "9" * 5000, "---\n---\n"),
    )  # fmt: skip
    yield from (("Pulumi.dev.yaml", (good + fault).encode()) for fault in faults)
    yield from ((name, fault.encode()) for name in ("Pulumi.dev.yaml", "Pulumi.yaml") for fault in faults)
    for name in ("Pulumi.dev.yaml", "Pulumi.yaml", "app/VERSION", "app/pyproject.toml", "policies/PulumiPolicy.yaml"):
        yield from (
            (name, fault)
            for fault in (b"\xff\xfe", b"", b"x" * 2**21, b"version: {}", b"project = 5", b"a=" + b"[" * 9999)
        )


def test_files_of_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("Pulumi.yaml", "Pulumi.dev.yaml", "app/VERSION", "policies/PulumiPolicy.yaml")
    good = {name: (ROOT / name).read_bytes() for name in names}
    good["app/pyproject.toml"] = b"[project]\nversion = '1.0.0'\n"
    for name in good:
        (tmp_path / name).parent.mkdir(exist_ok=True)
    monkeypatch.setattr(wiring, "DynamoLedger", lambda _table: released().ledger)
    monkeypatch.setattr(Session, "stack", lambda self, name: self.require_stack(name))
    monkeypatch.setattr("slipway.delivery.adapters.checkout.git_commit", lambda _project: "none")

    def make(dice: random.Random) -> tuple[str, bytes]:
        name = dice.choice(("Pulumi.dev.yaml", "Pulumi.dev.yaml", *good))
        if name.endswith("yaml") and dice.random() < 0.5:
            return name, yaml.safe_dump(mutated_value(dice, yaml.safe_load(good[name]))).encode()
        return name, mutated_bytes(dice, good[name])

    def use(changed: tuple[str, bytes]) -> None:
        for name, content in {**good, changed[0]: changed[1]}.items():
            (tmp_path / name).write_bytes(content)
        if changed[0].startswith("Pulumi."):
            assert run_command(monkeypatch, capsys, "-C", str(tmp_path), "history", "dev") in {0, 2}
        else:
            if changed[0] == "app/pyproject.toml":
                (tmp_path / "app/VERSION").unlink()
            with suppress(UsageError):
                Checkout(tmp_path, tmp_path / "app").facts()

    try_all("files", kept_files(), make, 400, use)


def test_settings_as_pulumi_hands_them_to_the_program() -> None:
    config = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"]
    good = {key.removeprefix("slipway:"): value for key, value in config.items() if key.startswith("slipway:")}

    def make(dice: random.Random) -> dict[str, str]:
        changed = mutated_value(dice, good)
        texts = changed if isinstance(changed, dict) else good
        return {key: value if isinstance(value, str) else json.dumps(value) for key, value in texts.items()}

    def use(raw: Mapping[str, str]) -> None:
        with suppress(SettingsError):
            parse_settings(raw, environment="dev")

    kept = ({"network": "[" * 9999}, {"service": "9" * 5000}, {"service": '{"port": 1e999}'})
    try_all("settings", kept, make, 300, use)


# -- arguments


def commands() -> dict[tuple[str, ...], Any]:
    """Every verb but those that start the sandbox or a server."""
    root: Any = typer.main.get_command(cli.app)
    sandbox = {("sandbox", name): root.commands["sandbox"].commands[name] for name in ("status", "env", "kubeconfig")}
    left_out = {"demo", "dashboard", "sandbox"}
    return sandbox | {(name,): verb for name, verb in root.commands.items() if name not in left_out}


def test_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    known = commands()
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setenv("SLIPWAY_HOME", str(tmp_path / "home"))
    companies: list[Rehearsal] = []

    def without_cli(session: Session, name: str) -> None:
        raise OperationError(f"no Pulumi CLI for {session.require_stack(name)}")

    monkeypatch.setattr(Session, "stack", without_cli)
    monkeypatch.setattr("slipway.sandbox.running.ask_daemon", lambda: None)
    monkeypatch.setattr(
        options, "connect", lambda session, name, **_: companies[-1].context(session.require_stack(name))
    )
    texts = [str(value) for value in VALUES if "\0" not in str(value)]
    words = ["dev", "prod", "qa", "--", "-", "--yes", "--json", "x" * 5000, *texts]

    def make(dice: random.Random) -> list[str]:
        verb = dice.choice(list(known))
        options = [name for parameter in known[verb].params for name in parameter.opts if name.startswith("-")]
        given = ["-C", dice.choice(words)] if dice.random() < 0.05 else ["-C", str(tmp_path)]
        given += [*verb, *dice.choice((["dev"], ["dev", "prod"], []))]
        for _ in range(dice.randrange(4)):
            option = [dice.choice([*options, "--nothing"]), dice.choice(["1", "1e9", "-5", *words])]
            given += dice.choice((option, option, ["=".join(option)], option[:1], [dice.choice(words)]))
        return given

    def use(arguments: list[str]) -> None:
        companies[:] = [copy.deepcopy(released())]
        run_command(monkeypatch, capsys, *arguments)

    project = ["-C", str(tmp_path)]
    kept = [
        *([*project, "preview", name] for name in ("x" * 300, "../dev", "\x1b[31m", "\udcff", "")),
        *([*project, "release", "dev", f"--{option}", value] for option in ("bake", "window", "wait") for value in ("nan", "1e308", "-1")),
        ["-C", "x" * 5000, "status"],
        [*project, "judge", "dev", "--rollout", "\x1b[31m"],
    ]  # fmt: skip
    try_all("arguments", kept, make, 300, use)


# -- variables of the environment

VARIABLES = (
    *("SLIPWAY_HOME", "SLIPWAY_PROJECT_DIR", "SLIPWAY_SANDBOX", "SLIPWAY_SANDBOX_AWS", "SLIPWAY_AWS_PORT"),
    *("SLIPWAY_PROMETHEUS_URL", "SLIPWAY_WEBHOOK_URL", "SLIPWAY_WEBHOOK_SECRET"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_ENDPOINT_URL", "AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE"),
    *("AWS_CA_BUNDLE", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_DEFAULTS_MODE", "AWS_USE_FIPS_ENDPOINT"),
    *("DOCKER_HOST", "HTTPS_PROXY", "HOME", "PULUMI_HOME", "PULUMI_BACKEND_URL", "COLUMNS", "TERM", "NO_COLOR", "TZ", "LANG"),
)  # fmt: skip


def test_variables_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(wiring, "DynamoLedger", lambda _table: released().ledger)
    monkeypatch.setattr(Session, "stack", lambda self, name: self.require_stack(name))
    monkeypatch.setattr("slipway.sandbox.running.ask_daemon", lambda: None)
    monkeypatch.chdir(tmp_path)  # folders by relative names are made there
    # Between tries to reach AWS, from which sockets are kept.
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _seconds: None)
    target = released().ledger.targets()[0]
    commands = (["history", "dev"], ["status"], ["sandbox", "status"], ["sandbox", "env"])

    def make(dice: random.Random) -> dict[str, str]:
        texts = [
            *map(str, VALUES),
            *(piece.decode(errors="surrogateescape") for piece in PIECES),
            "http://[",
            "https://x:y",
            "file:///",
        ]
        return {name: dice.choice(texts).replace("\0", "") for name in dice.sample(VARIABLES, dice.randrange(1, 4))}

    def use(variables: Mapping[str, str]) -> None:
        with pytest.MonkeyPatch.context() as changed:
            for name, value in {"HOME": str(tmp_path), "SLIPWAY_HOME": str(tmp_path / "home"), **variables}.items():
                changed.setenv(name, value)
            project = [] if "SLIPWAY_PROJECT_DIR" in variables else ["-C", str(tmp_path)]
            command = random.Random(str(variables)).choice(commands)
            assert run_command(changed, capsys, *project, *command) in {0, 1, 2, 3, 4}
            with suppress(UsageError):
                wiring.connect(target)

    kept = (
        {"AWS_MAX_ATTEMPTS": "many"},
        {"SLIPWAY_HOME": "~nobody-at-all"},
        {"AWS_PROFILE": "none"},
        {"AWS_REGION": "no region"},
    )
    try_all("variables", kept, make, 250, use)


# -- the ledger's documents


class ReadTable:
    """A ledger's table that holds given documents and refuses every write."""

    name = "ledger"

    def __init__(self, documents: Mapping[tuple[str, str], str]) -> None:
        self._documents = documents
        self.read = set[tuple[str, str]]()

    def get(self, pk: str, sk: str) -> Item | None:
        if len(pk + sk) > 2048:
            raise OperationError("cannot read the ledger: ValidationException: the key is longer than 2048 bytes")
        return next((item for item in self.query(pk, sk) if item.sk == sk), None)

    def query(self, pk: str, prefix: str = "", **_: Any) -> Iterator[Item]:
        for (at, sk), document in self._documents.items():
            if at == pk and sk.startswith(prefix):
                self.read.add((at, sk))
                yield Item(sk=sk, document=document, revision=1, fence=1, attributes={"rejected": {"S": document}})

    def update(self, *_: Any, **__: Any) -> None:
        return None

    def put(self, *_: Any, **__: Any) -> None:
        raise OperationError("cannot write the ledger")

    delete = put


@cache
def documents() -> dict[tuple[str, str], str]:
    """What the ledger holds after the releases, by pk and sk."""
    ledger = released().ledger
    rollout, release, rejected = ledger.rollout(PLACE), ledger.releases("orders")[0], ledger.rejections(PLACE)[0]
    assert rollout
    held = {
        "rollout": rollout,
        "lease": ledger.lease(PLACE),
        "schema": ledger.schema(PLACE),
        "history#1": ledger.history(PLACE, 1)[0],
        "abort": {"rollout": rollout.id, "text": "late"},
    }
    return {
        **{("dev#orders", sk): json.dumps(as_json(value)) for sk, value in held.items()},
        ("dev#orders", "wanted"): dump_wanted(ledger.wanted(PLACE)),
        ("releases#orders", release.id): json.dumps(as_json(release)),
        ("targets", "dev#orders"): ledger.targets()[0].model_dump_json(by_alias=True),
        ("dev#orders#fitness", rejected.digest): json.dumps(as_json(rejected.rejected)),
    }


def pages(held: Mapping[tuple[str, str], str]) -> Any:
    """The dashboard over a ledger with these documents."""
    ledger: Any = DynamoLedger(ReadTable(held))  # pyright: ignore[reportArgumentType]
    return build_app(
        Overview(ledger, lambda: read_status(ledger, None), lambda _target: NoTraffic(), released().clock.now),
        hosts=["localhost"],
    )


class NoTraffic:
    """A source of charts without a request."""

    def series(self, *_: Any) -> dict[Colour, Any]:
        return {}


def answer(
    application: Any,
    method: str,
    target: bytes,
    *,
    headers: Sequence[tuple[bytes, bytes]] = ((b"host", b"localhost"),),
    body: Sequence[bytes] = (b"",),
    whole: bool = True,
) -> int:
    """The status of one request, given as a server would; a client that sends no `whole` body leaves."""
    path, _, query = target.partition(b"?")
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "root_path": "",
        "raw_path": path,
    }
    scope |= {"path": unquote(path.decode("ascii")), "query_string": query, "headers": list(headers)}
    scope |= {"client": ("127.0.0.1", 1), "server": ("localhost", 80)}
    incoming = [{"type": "http.request", "body": part, "more_body": True} for part in body]
    incoming += [{"type": "http.request", "body": b"", "more_body": False}] if whole else []
    sent: list[Any] = []

    async def receive() -> Any:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    return int(sent[0]["status"])


def test_documents_of_the_ledger(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    current: dict[tuple[str, str], str] = {}
    table = ReadTable(current)
    ledger: Any = DynamoLedger(table)  # pyright: ignore[reportArgumentType]
    context = replace(released().context("dev"), ledger=ledger)
    monkeypatch.setattr(options, "connect", lambda *_, **__: context)
    monkeypatch.setattr(Session, "stack", lambda *_: None)
    monkeypatch.setattr("slipway.delivery.dashboard.overview.FRESH_SECONDS", -1)
    dashboard = pages(current)
    readers = (
        "status",
        "history dev",
        "judge dev --replay",
        "explain dev",
        "release dev --dry-run",
        "rollback dev --dry-run",
        "abort dev",
    )
    ended = released().ledger.rollout(PLACE)
    assert ended
    moving = json.dumps(as_json(replace(ended, phase=Phase.BAKING, ended_at=None)))

    def make(dice: random.Random) -> tuple[tuple[str, str], str]:
        key = dice.choice(list(documents()))
        if dice.random() < 0.1:
            return key, mutated_bytes(dice, documents()[key].encode()).decode(errors="replace")
        return key, json.dumps(mutated_value(dice, json.loads(documents()[key])))

    def use(changed: tuple[tuple[str, str], str]) -> None:
        dice = random.Random(str(changed))
        under_way = {("dev#orders", "rollout"): moving} if dice.random() < 0.5 else {}
        current.update(documents() | under_way | dict([changed]))
        run_command(monkeypatch, capsys, *dice.choice(readers).split())
        page = dice.choice((b"/", b"/status.json", b"/charts/dev/orders/errors.svg"))
        assert answer(dashboard, "GET", page) in {200, 404, 502}

    kept: list[Any] = []
    try_all("ledger", kept, make, 300, use)
    assert table.read == set(documents())


# -- HTTP


def request(dice: random.Random, targets: Sequence[bytes], bodies: Sequence[bytes]) -> dict[str, Any]:
    """One request near to a good one."""
    target = dice.choice(targets)
    if dice.random() < 0.7:
        target = b"/" + bytes(byte for byte in mutated_bytes(dice, target) if 0x20 < byte < 0x7F).lstrip(b"/")
    parts = dice.choice(bodies), mutated_bytes(dice, dice.choice(bodies)), dice.randbytes(40)
    hosts = (b"localhost", b"localhost", b"evil.example", dice.randbytes(9), b"")
    return {
        "method": dice.choice(("GET", "GET", "POST", "POST", "HEAD", "OPTIONS", "DELETE", "BREW", "x" * 300)),
        "target": target,
        "headers": [
            (b"host", dice.choice(hosts)),
            (dice.choice((b"range", b"content-length", b"if-modified-since")), dice.choice(PIECES)),
        ],
        "body": dice.sample(parts, dice.randrange(4)),
        "whole": dice.random() < 0.8,
    }


def test_http_of_the_dashboard() -> None:
    application = pages(documents())
    rollout = json.loads(documents()["dev#orders", "rollout"])["id"].encode()
    targets = (
        b"/",
        b"/places",
        b"/status.json",
        b"/rollouts/dev/orders/" + rollout,
        b"/charts/dev/orders/errors.svg",
        b"/static/live.js",
    )

    def use(sent: Mapping[str, Any]) -> None:
        assert answer(application, **sent) < 500

    long = (
        b"/rollouts/" + b"x" * 3000 + b"/orders/r",
        b"/static/" + b"x" * 300,
        b"/static/" + b"x/" * 3000,
        b"/static/%00",
    )
    kept = ({"method": "GET", "target": target} for target in long)
    try_all("dashboard", kept, lambda dice: request(dice, targets, (b"",)), 800, use)


def test_http_of_the_orders_service() -> None:
    site = Site()
    application = site.service.application()
    order = {"item": "tea", "quantity": 1}
    targets = (b"/orders", b"/orders", b"/orders", b"/orders/1", b"/", b"/version", b"/readyz", b"/metrics")

    def make(dice: random.Random) -> dict[str, Any]:
        if dice.random() < 0.5:
            return request(dice, targets, (json.dumps(order).encode(),))
        document = json.dumps(mutated_value(dice, order), ensure_ascii=dice.random() < 0.5)
        return {"method": "POST", "target": b"/orders", "body": [document.encode(errors="surrogatepass")]}

    def use(sent: Mapping[str, Any]) -> None:
        assert answer(application, **sent) < 500

    kept: list[dict[str, Any]] = [{"method": "GET", "target": b"/orders/" + b"9" * digits} for digits in (19, 4301)]
    bodies = (
        b"[" * 9999,
        b"9" * 5000,
        b'{"item": "\\ud800", "quantity": 1}',
        b'{"\\ud800": 1}',
        b'{"item": "a", "quantity": 1e999}',
    )
    kept += [{"method": "POST", "target": b"/orders", "body": [body]} for body in bodies]
    kept += [{"method": "POST", "target": b"/orders", "body": [b"{"], "whole": False}]
    try_all("orders", kept, make, 700, use)
