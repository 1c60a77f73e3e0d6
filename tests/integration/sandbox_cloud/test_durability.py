"""What was answered is kept: kill -9 at any moment, many writers at once."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

TABLE = "ledger"
KEY = {"pk": {"S": "dev#orders"}, "sk": {"S": "wanted"}}


@pytest.fixture
def ledger(daemon: Any) -> Iterator[Any]:
    dynamodb = daemon.client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    yield dynamodb
    with contextlib.suppress(ClientError, BotoCoreError):
        daemon.client("dynamodb").delete_table(TableName=TABLE)


def test_every_answered_write_is_there_after_kill_9(daemon: Any, ledger: Any) -> None:
    answered: list[int] = []
    enough = threading.Event()

    def write() -> None:
        for number in range(10_000):
            try:
                ledger.put_item(TableName=TABLE, Item={"pk": {"S": "journal"}, "sk": {"S": f"{number:06}"}})
            except (BotoCoreError, ClientError):
                return
            answered.append(number)
            if len(answered) >= 60:
                enough.set()

    ledger.meta.config.merge(Config(retries={"total_max_attempts": 1}))
    writer = threading.Thread(target=write)
    writer.start()
    assert enough.wait(60)
    daemon.end(signal.SIGKILL)
    writer.join(60)
    daemon.start()
    found = daemon.client("dynamodb").query(
        TableName=TABLE, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "journal"}}
    )["Items"]
    assert {f"{number:06}" for number in answered} <= {item["sk"]["S"] for item in found}


def test_only_one_of_many_wins_when_all_write_on_the_same_condition(daemon: Any, ledger: Any) -> None:
    ledger.put_item(TableName=TABLE, Item=KEY | {"revision": {"N": "1"}})
    wins: list[int] = []

    def take(number: int) -> None:
        client = daemon.client("dynamodb")
        for revision in range(1, 6):
            try:
                client.put_item(
                    TableName=TABLE,
                    Item=KEY | {"revision": {"N": str(revision + 1)}, "owner": {"N": str(number)}},
                    ConditionExpression="revision = :seen",
                    ExpressionAttributeValues={":seen": {"N": str(revision)}},
                )
                wins.append(revision)
            except client.exceptions.ConditionalCheckFailedException:
                continue

    threads = [threading.Thread(target=take, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(wins) == len(set(wins))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_managed_secret_is_kept_with_its_database(daemon: Any, number: signal.Signals) -> None:
    rds = daemon.client("rds")
    secret = rds.create_db_instance(
        DBInstanceIdentifier=f"kept-{number.name.lower()}",
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername="orders",
        ManageMasterUserPassword=True,
    )["DBInstance"]["MasterUserSecret"]["SecretArn"]
    daemon.end(number)  # at once: nothing may depend on the background writer
    daemon.start()
    assert "password" in daemon.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]


def test_refuses_to_start_on_a_busy_port(daemon: Any, tmp_path: Path) -> None:
    port = daemon.url.rpartition(":")[2]
    argv = [sys.executable, "-m", "slipway.sandbox.daemon", "--api-only", "--port", port]
    environment = {**os.environ, "SLIPWAY_HOME": str(tmp_path)}
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert ended.returncode == 3
    assert f"port {port} of 127.0.0.1 cannot be used: Address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr
