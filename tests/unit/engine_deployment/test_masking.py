"""Secrets in messages."""

from __future__ import annotations

from slipway.engine.masking import SecretMask
from slipway.engine.values import Secret


def test_known_secrets_are_blinded_wherever_they_stand() -> None:
    mask = SecretMask()
    mask.add_all({"a": [Secret({"deep": "hush-hush"})], "plain": "visible", "b": Secret("hush-hush-longer")})
    mask.add("from-config")
    message = "visible: password=hush-hush; hush-hush-longer; from-config."
    assert mask.apply(message) == "visible: password=[secret]; [secret]; [secret]."


def test_short_secrets_do_not_make_messages_useless() -> None:
    mask = SecretMask()
    mask.add_all({"port": Secret("8080"), "flag": Secret("true"), "number": Secret(12345678)})
    assert mask.apply("port 8080 is true 12345678") == "port 8080 is true 12345678"


def test_texts_with_special_letters_are_taken_literally() -> None:
    mask = SecretMask()
    mask.add("a.*(b+c")
    assert mask.apply("x a.*(b+c y aZZ(bbc") == "x [secret] y aZZ(bbc"


def test_what_the_program_says_in_the_open_is_not_blinded() -> None:
    mask = SecretMask()
    mask.add_inputs({"stringData": Secret({"DATABASE_NAME": "orders", "DATABASE_PASSWORD": "hush-hush"})})
    assert mask.apply("orders: hush-hush") == "[secret]: [secret]"
    mask.add_inputs({"tags": [{"service": "orders"}]})
    assert mask.apply("orders: hush-hush") == "orders: [secret]"


def test_secret_configuration_stays_blinded_though_it_is_also_said_in_the_open() -> None:
    mask = SecretMask()
    mask.add("from-config")
    mask.add_inputs({"url": "from-config"})
    assert mask.apply("from-config") == "[secret]"
