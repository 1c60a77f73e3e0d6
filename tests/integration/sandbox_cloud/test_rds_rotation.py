"""A managed master password that is rotated: in the secret and in a real PostgreSQL, together."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.integration.sandbox_cloud.rds_kit import Instance, RdsDaemon, instance, needs_postgres, running

pytestmark = needs_postgres
AT_ONCE = {"RotateMasterUserPassword": True, "ApplyImmediately": True}
SETTLED_SECONDS = 20


@pytest.fixture(scope="module")
def rds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RdsDaemon]:
    with running(tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture(scope="module")
def database(rds: RdsDaemon) -> Iterator[Instance]:
    with instance(rds, "rotated") as made:
        yield made


def rotate_by_secret(database: Instance) -> None:
    database.secrets.rotate_secret(SecretId=database.secret_arn)


def rotate_by_instance(database: Instance) -> None:
    database.rds.modify_db_instance(DBInstanceIdentifier=database.identifier, **AT_ONCE)


@pytest.mark.parametrize("rotate", [rotate_by_secret, rotate_by_instance])
def test_new_password_is_accepted_and_the_old_one_refused_when_rotated(
    database: Instance, rotate: Callable[[Instance], None]
) -> None:
    old, before = database.password(), database.secrets.describe_secret(SecretId=database.secret_arn)
    current = next(version for version, labels in before["VersionIdsToStages"].items() if "AWSCURRENT" in labels)

    rotate(database)

    assert database.password() != old
    assert (database.admits(database.password()), database.admits(old)) == (True, False)
    assert database.password(VersionStage="AWSPREVIOUS") == database.password(VersionId=current) == old
    after = database.secrets.describe_secret(SecretId=database.secret_arn)
    labels = sorted(label for each in after["VersionIdsToStages"].values() for label in each)
    assert labels == ["AWSCURRENT", "AWSPREVIOUS"]
    assert abs(after["LastRotatedDate"].timestamp() - time.time()) < 60
    assert "RotationLambdaARN" not in after
    assert database.facts()["MasterUserSecret"]["SecretArn"] == after["ARN"]


def test_rotation_happens_once_when_the_request_is_repeated(database: Instance) -> None:
    token = str(uuid4())
    answer = database.secrets.rotate_secret(SecretId=database.secret_arn, ClientRequestToken=token)
    assert answer["VersionId"] == token
    password = database.password()
    repeated = database.secrets.rotate_secret(SecretId=database.secret_arn, ClientRequestToken=token)
    assert repeated["VersionId"] == token
    assert database.password(VersionId=token) == database.password() == password


def eventually_admits(database: Instance, password: str) -> bool:
    deadline = time.monotonic() + SETTLED_SECONDS
    while not database.admits(password):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def test_secret_and_server_agree_when_the_servers_answer_is_lost(rds: RdsDaemon, database: Instance) -> None:
    old = database.password()
    rds.fault("lost")
    with pytest.raises(ClientError, match="the answer was lost"):
        rotate_by_secret(database)
    assert database.password() == old
    assert eventually_admits(database, old)


def test_secret_and_server_agree_when_the_daemon_is_killed_in_between(rds: RdsDaemon, database: Instance) -> None:
    old = database.password()
    rds.fault("killed")
    with pytest.raises(ConnectionClosedError):
        rotate_by_instance(database)
    rds.end(signal.SIGKILL)
    rds.start()
    database.wait_available()
    assert database.password() == old
    assert eventually_admits(database, old)


def test_refuses_to_rotate_a_secret_without_a_function(rds: RdsDaemon) -> None:
    secrets = rds.client("secretsmanager")
    made = secrets.create_secret(Name=f"own-{uuid4().hex[:6]}", SecretString="mine")["ARN"]
    with pytest.raises(ClientError, match="No Lambda rotation function ARN is associated with this secret") as refused:
        secrets.rotate_secret(SecretId=made)
    assert refused.value.response["Error"]["Code"] == "InvalidRequestException"
    assert secrets.get_secret_value(SecretId=made)["SecretString"] == "mine"


def test_refuses_to_change_a_managed_secret_past_its_database(database: Instance) -> None:
    secrets, arn, password = database.secrets, database.secret_arn, database.password()
    for change in (
        lambda: secrets.put_secret_value(SecretId=arn, SecretString="{}"),
        lambda: secrets.update_secret(SecretId=arn, SecretString="{}"),
        lambda: secrets.delete_secret(SecretId=arn),
        lambda: secrets.rotate_secret(SecretId=arn, RotationRules={"AutomaticallyAfterDays": 1}),
    ):
        with pytest.raises(ClientError, match="managed"):
            change()
    assert database.password() == password


def test_refuses_to_rotate_what_rds_does_not_manage_and_what_does_not_run(rds: RdsDaemon, database: Instance) -> None:
    client = rds.client("rds")
    with pytest.raises(ClientError, match="You must specify apply immediately"):
        client.modify_db_instance(DBInstanceIdentifier=database.identifier, RotateMasterUserPassword=True)
    with (
        instance(rds, "by-hand", ManageMasterUserPassword=False) as by_hand,
        pytest.raises(ClientError, match="not managed by RDS"),
    ):
        rotate_by_instance(by_hand)
    client.stop_db_instance(DBInstanceIdentifier=database.identifier)
    with pytest.raises(ClientError, match="not in available state") as refused:
        rotate_by_instance(database)
    assert refused.value.response["Error"]["Code"] == "InvalidDBInstanceState"
    with pytest.raises(ClientError, match="is stopped, not available"):
        rotate_by_secret(database)
    client.start_db_instance(DBInstanceIdentifier=database.identifier)
    database.wait_available()
    assert database.admits(database.password())
