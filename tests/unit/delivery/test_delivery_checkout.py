"""What is read from the project: stack files, sources, versions; and what is scrubbed from texts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from slipway.delivery.adapters.checkout import SALT, Checkout, git_commit, hash_files
from slipway.delivery.adapters.cloudwatch import load_balancer_dimension, target_group_dimension
from slipway.delivery.adapters.http_probe import synthetic_requests
from slipway.delivery.adapters.machine import owner_is_dead, this_owner
from slipway.delivery.model.series import period_seconds
from slipway.delivery.model.target import RolloutSettings
from slipway.delivery.wiring import read_demands, read_project
from slipway.documents import find_stack_file, list_environments
from slipway.errors import UsageError
from slipway.scrubbing import scrub

PROJECT = """
name: slipway
config:
  aws:region: {value: us-east-1}
  slipway:ledgerTable: {type: string, default: the-ledger}
  slipway:owner: {type: string}
"""
STACK = """
config:
  slipway:service: {name: orders}
  slipway:image: {context: service}
"""


def project(folder: Path, stack: str = STACK) -> Path:
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "Pulumi.dev.yaml").write_text(stack)
    return folder


def test_stack_file_is_read_with_the_defaults_of_the_project_file(tmp_path: Path) -> None:
    facts = read_project(project(tmp_path), "dev")
    assert (facts.service, facts.ledger_table, facts.region, facts.app_dir) == (
        "orders",
        "the-ledger",
        "us-east-1",
        tmp_path / "service",
    )


def test_refuses_an_environment_without_a_stack_file_naming_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no environment 'qa'.*\n.*there are: dev"):
        read_project(project(tmp_path), "qa")


def test_refuses_a_folder_without_stack_files_and_takes_no_folder_for_one(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.old.yaml").mkdir()
    assert list_environments(tmp_path) == []
    with pytest.raises(UsageError, match=r"no environment 'dev'\n.*no stack file is here; .*slipway -C FOLDER"):
        find_stack_file(tmp_path, "dev")


@pytest.mark.parametrize(("config", "kind"), [("3", "a number"), ("[a]", "a list"), ("on", "true or false")])
def test_refuses_a_stack_file_of_another_shape_in_plain_words(config: str, kind: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"config: want keys with values, not {kind}$"):
        read_project(project(tmp_path, f"config: {config}"), "dev")


def test_a_fault_of_a_stack_file_keeps_the_names_and_values_in_it(tmp_path: Path) -> None:
    stack = f"{STACK}  slipway:supplyChain: {{key: MyKey}}\n"
    with pytest.raises(UsageError, match=r"not 'MyKey'$"):
        read_demands(project(tmp_path, stack), "dev")


def test_refuses_a_stack_file_without_the_service_s_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Pulumi\.dev\.yaml: slipway:service: field required"):
        read_project(project(tmp_path, "config: {}"), "dev")


def test_checkout_is_read_with_version_hashes_and_policy(tmp_path: Path) -> None:
    project(tmp_path)
    app = tmp_path / "service"
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "program.py").write_text("a = 1\n")
    app.mkdir()
    (app / "VERSION").write_text("1.2.3\n")
    first = Checkout(tmp_path, app).facts()
    assert (first.version, first.git_commit, first.policy_version, first.revisions) == ("1.2.3", "none", "none", ())
    (tmp_path / "infra" / "program.py").write_text("a = 2\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(STACK + "  slipway:owner: me\n")
    second = Checkout(tmp_path, app).facts()
    assert first.program_hash != second.program_hash
    assert first.config_hash != second.config_hash
    assert first.lock_hash == second.lock_hash


def test_refuses_a_service_without_a_version(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the service has no version"):
        Checkout(project(tmp_path), tmp_path).facts()


def test_hash_tells_apart_what_moved_between_name_and_content(tmp_path: Path) -> None:
    (tmp_path / "ab").write_text("c")
    first = hash_files(tmp_path, [tmp_path / "ab"])
    (tmp_path / "a").write_text("bc")
    assert hash_files(tmp_path, [tmp_path / "a"]) != first
    assert hash_files(tmp_path, [tmp_path / "ab", tmp_path / "gone"]) == first


@pytest.mark.parametrize(
    "text",
    [
        "postgresql+psycopg://orders:s3cr3t@10.0.0.1:5432/orders refused",
        "DATABASE_PASSWORD=s3cr3t",
        "api_key: 's3cr3t'",
        'token="s3cr3t"',
    ],
)
def test_credentials_are_scrubbed(text: str) -> None:
    assert "s3cr3t" not in scrub(text)


def test_plain_text_is_left_as_it_is() -> None:
    text = "Running upgrade 0001 -> 0002, orders get a currency; see https://wiki.example/page"
    assert scrub(text) == text


@pytest.mark.parametrize(("window", "period"), [(1, 1), (3, 1), (5, 5), (12, 10), (45, 30), (60, 60), (150, 120)])
def test_cloudwatch_period_is_the_longest_that_it_knows_and_the_window_holds(window: float, period: int) -> None:
    assert period_seconds(window) == period


def test_metric_dimensions_are_the_last_parts_of_the_arns() -> None:
    arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
    assert load_balancer_dimension(f"{arn}:loadbalancer/app/orders/50dc6c495c0c9188") == "app/orders/50dc6c495c0c9188"
    assert target_group_dimension(f"{arn}:targetgroup/blue/943f017f100becff") == "targetgroup/blue/943f017f100becff"


@pytest.mark.parametrize(
    ("bake", "period", "interval", "minimum", "each"),
    [
        (60, 0, 10, 20, 4),
        (3, 0, 1, 20, 7),
        (0, 0, 1, 20, 20),
        (60, 0, 10, 0, 0),
        (60, 60, 10, 20, 20),
        (300, 60, 10, 200, 9),
    ],
)
def test_synthetic_requests_reach_the_minimum(
    bake: float, period: float, interval: float, minimum: int, each: int
) -> None:
    settings = RolloutSettings(
        bake_seconds=bake, metric_period_seconds=period, analysis_interval_seconds=interval, minimum_requests=minimum
    )
    assert synthetic_requests(settings) == each


def test_this_process_is_alive_and_one_of_another_start_is_not() -> None:
    owner = this_owner()
    assert not owner_is_dead(owner)
    assert owner_is_dead(type(owner)(user=owner.user, host=owner.host, pid=owner.pid, started=owner.started - 3600))
    assert not owner_is_dead(type(owner)(user=owner.user, host="elsewhere", pid=1, started=0))


SALTED = "encryptionsalt: v1:abc=:v1:def:ghi==\n"


def test_salt_of_a_stack_file_says_nothing_about_the_release(tmp_path: Path) -> None:
    plain, salted = tmp_path / "plain.yaml", tmp_path / "salted.yaml"
    plain.write_text("config:\n  a: 1\n")
    salted.write_text(f"config:\n  a: 1\n{SALTED}")
    assert hash_files(tmp_path, [plain]) != hash_files(tmp_path, [salted])
    salted.rename(tmp_path / "again.yaml")
    plain.rename(tmp_path / "once.yaml")
    once = hash_files(tmp_path, [tmp_path / "once.yaml"], without=SALT)
    (tmp_path / "again.yaml").rename(tmp_path / "once.yaml")
    assert hash_files(tmp_path, [tmp_path / "once.yaml"], without=SALT) == once


@pytest.mark.parametrize(
    ("file", "text", "is_dirty"),
    [
        ("Pulumi.dev.yaml", f"config:\n  a: 1\n{SALTED}", False),
        ("Pulumi.dev.yaml", f"config:\n  a: 2\n{SALTED}", True),
        ("Pulumi.new.yaml", "config: {}\n", True),
        ("app.py", "changed", True),
    ],
)
def test_commit_is_dirty_when_more_than_the_salt_differs(tmp_path: Path, file: str, text: str, is_dirty: bool) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=T", "-c", "user.email=t@example.com"]
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  a: 1\n")
    (tmp_path / "app.py").write_text("")
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "x"]):
        subprocess.run([*git, *arguments], check=True, timeout=60)
    assert not git_commit(tmp_path).endswith("+dirty")
    (tmp_path / file).write_text(text)
    assert git_commit(tmp_path).endswith("+dirty") is is_dirty
