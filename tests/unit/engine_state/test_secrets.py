"""Pulumi's passphrase provider, against a vector of Pulumi's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.engine import secrets
from slipway.engine.secrets import (
    Base64Manager,
    DecryptionError,
    StackSecrets,
    new_passphrase,
    open_passphrase,
    read_passphrase,
)
from slipway.errors import UsageError

# Source: pulumi/pulumi, pkg/secrets/passphrase/manager_test.go; the passphrase is "password".
SALT = "v1:fozI5u6B030=:v1:F+6ZduKKd8G0/V7L:PGMFeIzwobWRKmEAzUdaQHqC5mMRIQ=="


def test_known_salt_opens_with_its_passphrase() -> None:
    manager = open_passphrase(SALT, "password")

    assert manager.state == {"salt": SALT}
    assert manager.decrypt("v1:F+6ZduKKd8G0/V7L:PGMFeIzwobWRKmEAzUdaQHqC5mMRIQ==") == "pulumi"


def test_ciphertext_opens_again_and_never_repeats() -> None:
    manager = open_passphrase(SALT, "password")

    first, second = manager.encrypt("häßlich\n"), manager.encrypt("häßlich\n")

    assert manager.decrypt(first) == manager.decrypt(second) == "häßlich\n"
    assert first != second
    assert "h" + "äßlich" not in first


def test_no_nonce_is_used_twice_even_after_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = open_passphrase(SALT, "password")
    nonces = [manager.encrypt("x").split(":")[1] for _ in range(300)]
    left = list(manager._nonces)
    monkeypatch.setattr(secrets.os, "getpid", lambda: -1)
    nonces += [manager.encrypt("x").split(":")[1] for _ in range(300)]

    assert len(set(nonces)) == 600
    assert not {secrets._b64(nonce) for _, nonce in left} & set(nonces[300:])


def test_refuses_another_passphrase_without_telling_it() -> None:
    with pytest.raises(UsageError, match="incorrect passphrase") as caught:
        open_passphrase(SALT, "guess-4711")

    assert "guess-4711" not in str(caught.value)


@pytest.mark.parametrize("salt", ["", "v2:fozI5u6B030=:v1:a:b", "v1:fozI5u6B030=", "v1:***:v1:a:b"])
def test_refuses_a_malformed_salt(salt: str) -> None:
    with pytest.raises(UsageError, match="malformed encryption salt"):
        open_passphrase(salt, "password")


@pytest.mark.parametrize("ciphertext", ["", "plain", "v2:a:b", "v1:only", "v1:AAAAAAAAAAAAAAAA:AAAA", "v1:?:?"])
def test_refuses_a_damaged_ciphertext(ciphertext: str) -> None:
    with pytest.raises(DecryptionError):
        open_passphrase(SALT, "password").decrypt(ciphertext)


def test_new_salt_verifies_its_passphrase() -> None:
    made = new_passphrase("")

    assert open_passphrase(made.salt, "").decrypt(made.encrypt("x")) == "x"
    with pytest.raises(UsageError, match="incorrect passphrase"):
        open_passphrase(made.salt, "x")


def test_key_is_derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    open_passphrase(SALT, "password")
    monkeypatch.setattr(secrets.hashlib, "pbkdf2_hmac", lambda *_: pytest.fail("derived again"))

    open_passphrase(SALT, "password")


def test_passphrase_comes_from_variable_then_file(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("  from file\n")

    assert read_passphrase({"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}) == "from file"
    assert read_passphrase({"PULUMI_CONFIG_PASSPHRASE": "", "PULUMI_CONFIG_PASSPHRASE_FILE": str(file)}) == ""


@pytest.mark.parametrize(
    ("environ", "text"),
    [
        ({}, "passphrase must be set with PULUMI_CONFIG_PASSPHRASE"),
        ({"PULUMI_CONFIG_PASSPHRASE_FILE": "/nowhere/passphrase"}, "unable to read the passphrase: No such file"),
    ],
)
def test_refuses_to_go_on_without_passphrase(environ: dict[str, str], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        read_passphrase(environ)


def test_salt_of_the_stack_file_wins_over_the_state() -> None:
    made = new_passphrase("password")
    stack = StackSecrets({"PULUMI_CONFIG_PASSPHRASE": "password"})
    stack.use_state("passphrase", {"salt": made.salt})
    assert stack.provider_state() == ("passphrase", {"salt": made.salt})

    stack.use_file_salt(SALT)

    assert stack.manager().state == {"salt": SALT}
    assert stack.provider_state() == ("passphrase", {"salt": SALT})


def test_stack_without_secrets_needs_no_passphrase_and_gets_no_salt() -> None:
    assert StackSecrets({}).provider_state() is None


def test_new_stack_makes_one_salt_and_keeps_it() -> None:
    stack = StackSecrets({"PULUMI_CONFIG_PASSPHRASE": "password"})

    first = stack.manager()

    assert stack.manager() is first
    assert stack.provider_state() == ("passphrase", first.state)


def test_refuses_other_secrets_providers_by_name() -> None:
    with pytest.raises(UsageError, match="the secrets provider 'awskms' is not supported"):
        StackSecrets({}).manager_for("awskms", {})


def test_base64_provider_reads_what_it_wrote() -> None:
    manager = StackSecrets({}).manager_for("b64", {})

    assert manager.decrypt(manager.encrypt("x")) == "x"
    with pytest.raises(DecryptionError):
        Base64Manager().decrypt("?")
