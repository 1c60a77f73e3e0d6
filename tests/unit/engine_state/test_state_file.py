"""The checkpoint file: what Pulumi writes, byte by byte, and what is refused."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import zstandard

from slipway.engine.secrets import StackSecrets, new_passphrase
from slipway.engine.state.model import OperationType, PendingOperation, ResourceState, Snapshot
from slipway.engine.state.properties import Vault, dump
from slipway.engine.state.records import format_time, parse_time, record_features
from slipway.engine.state.serialize import (
    Head,
    Sections,
    operation_bytes,
    read_checkpoint,
    record_bytes,
    render_checkpoint,
    render_empty,
    state_vault,
)
from slipway.engine.values import UNKNOWN, Archive, Asset, OutputValue, ResourceRef, Secret
from slipway.errors import UsageError
from tests.unit.engine_state.state_kit import ENVIRON, NOW, PREFIX, PROVIDER, STACK, thing

HEAD = Head(stack="organization/shop/dev")
B64 = {"type": "b64"}


def vault() -> Vault:
    """Ciphertexts one can read in a golden file."""
    manager = StackSecrets({}).manager_for("b64", {})
    return Vault(lambda: manager, lambda: manager)


def text(state: ResourceState) -> str:
    return record_bytes(state, vault()).decode()


def checkpoint(*records: dict[str, Any], **document: Any) -> bytes:
    """A file with these records, any key of the document overridden."""
    latest = {"manifest": {"time": "2026-01-02T03:04:05Z", "magic": "", "version": ""}, "secrets_providers": B64}
    latest |= {"resources": list(records), "metadata": {}} | document.pop("latest", {})
    return json.dumps(
        {"version": 3, "checkpoint": {"stack": "organization/shop/dev", "latest": latest}} | document
    ).encode()


def read(data: bytes) -> Snapshot:
    found = read_checkpoint(data, "dev.json", StackSecrets(ENVIRON)).snapshot
    assert found is not None
    return found


def test_empty_stack_is_written_as_the_cli_writes_it() -> None:
    assert render_empty("organization/shop/dev") == b'{"version":0,"checkpoint":{"stack":"organization/shop/dev"}}'


def test_file_is_written_compact_and_in_pulumis_order() -> None:
    pending = PendingOperation(resource=thing("b", id="", parent="", provider=""), type=OperationType.CREATING)
    data = render_checkpoint(
        HEAD,
        Sections(records=[record_bytes(STACK, vault())], pending=[operation_bytes(pending, vault())]),
        [],
        ("passphrase", {"salt": "v1:x"}),
        now=NOW,
    )
    magic = hashlib.sha256(b"slipway-0.1.0").hexdigest()
    assert data.decode() == (
        '{"version":3,"checkpoint":{"stack":"organization/shop/dev","latest":{'
        f'"manifest":{{"time":"2026-01-02T03:04:05.6Z","magic":"{magic}","version":"slipway-0.1.0"}},'
        '"secrets_providers":{"type":"passphrase","state":{"salt":"v1:x"}},'
        f'"resources":[{{"urn":"{STACK.urn}","custom":false,"type":"pulumi:pulumi:Stack"}}],'
        '"pending_operations":[{"resource":{"urn":"urn:pulumi:dev::shop::demo:index:Thing::b","custom":true,'
        '"type":"demo:index:Thing"},"type":"creating"}],"metadata":{}}}}'
    )


def test_record_without_anything_has_three_keys() -> None:
    assert text(STACK) == f'{{"urn":"{STACK.urn}","custom":false,"type":"pulumi:pulumi:Stack"}}'


def test_full_record_is_written_in_pulumis_order() -> None:
    other = thing("other").urn
    state = thing(
        "a",
        delete=True,
        inputs={"z": 1.0, "a": "<&>\u2028", "n": None, "e": {}},
        outputs={"arn": "x", "half": 0.5},
        protect=True,
        taint=True,
        external=True,
        dependencies=(other,),
        init_errors=("sick",),
        property_dependencies={"z": (other,), "a": ()},
        pending_replacement=True,
        additional_secret_outputs=("pw",),
        aliases=("urn:pulumi:dev::shop::demo:index:Thing::before",),
        custom_timeouts={"delete": 5.0, "create": 600.0, "read": 0.0},
        import_id="i-1",
        retain_on_delete=True,
        deleted_with=other,
        replace_with=(other,),
        created=NOW,
        modified=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC),
        source_position="project:///a.py#1",
        stack_trace=({"sourcePosition": "project:///a.py#1"}, {}),
        ignore_changes=("tags",),
        hide_diff=("a.b",),
        replace_on_changes=("z",),
        replacement_trigger="t",
        refresh_before_update=True,
        view_of=other,
        resource_hooks={"beforeCreate": ("h",)},
        extra={"snippetID": "s-1", "future": [1]},
    )
    assert json.loads(text(state)) == {
        "urn": state.urn,
        "custom": True,
        "delete": True,
        "id": "id-a",
        "type": "demo:index:Thing",
        "inputs": {"a": "<&>\u2028", "e": {}, "n": None, "z": 1},
        "outputs": {"arn": "x", "half": 0.5},
        "parent": STACK.urn,
        "protect": True,
        "taint": True,
        "external": True,
        "dependencies": [other],
        "initErrors": ["sick"],
        "provider": f"{PROVIDER.urn}::u-1",
        "propertyDependencies": {"a": [], "z": [other]},
        "pendingReplacement": True,
        "additionalSecretOutputs": ["pw"],
        "customTimeouts": {"create": 600, "delete": 5},
        "importID": "i-1",
        "retainOnDelete": True,
        "deletedWith": other,
        "replaceWith": [other],
        "created": "2026-01-02T03:04:05.6Z",
        "modified": "2026-01-02T03:04:06Z",
        "sourcePosition": "project:///a.py#1",
        "stackTrace": [{"sourcePosition": "project:///a.py#1"}, {}],
        "ignoreChanges": ["tags"],
        "hideDiff": ["a.b"],
        "replaceOnChanges": ["z"],
        "replacementTrigger": "t",
        "refreshBeforeUpdate": True,
        "viewOf": other,
        "resourceHooks": {"beforeCreate": ["h"]},
        "snippetID": "s-1",
        "future": [1],
    }
    # Go writes structs in declared order and maps sorted: a diff of two files shows changes only.
    assert list(json.loads(text(state)))[:6] == ["urn", "custom", "delete", "id", "type", "inputs"]
    assert '"inputs":{"a":"<&>\u2028","e":{},"n":null,"z":1}' in text(state)


VALUES: dict[str, tuple[Any, str]] = {
    "integral double": (1.0, "1"),
    "fraction": (0.1, "0.1"),
    "large double": (123456789012345680000.0, "123456789012345680000"),
    "double too large for digits": (1e21, "1e+21"),
    "not a number": (
        float("inf"),
        '{"4dabf18193072939515e22adb298388d":"8ad145fe-0d11-4827-bfd7-1abcbf086f5c","value":"7ff0000000000000"}',
    ),
    "unknown": (UNKNOWN, '"04da6b54-80e4-46f7-96ec-b56ff0331ba9"'),
    "secret": (
        Secret({"b": 1, "a": "ä"}),
        '{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"eyJhIjoiw6QiLCJiIjoxfQ=="}',
    ),
    "secret in a secret": (
        Secret([Secret("x")]),
        # The inner one keeps its mark, and its plain JSON stands where the ciphertext would.
        (
            '{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270","ciphertext":"W3siNGRhYmYxODE5MzA3MjkzOTUxNWUyM'
            'mFkYjI5ODM4OGQiOiIxYjQ3MDYxMjY0MTM4YzRhYzMwZDc1ZmQxZWI0NDI3MCIsImNpcGhlcnRleHQiOiJcInhcIiJ9XQ=="}'
        ),
    ),
    "text asset": (
        Asset(text="x", hash="ab"),
        '{"4dabf18193072939515e22adb298388d":"c44067f5952c0a294b673a41bacd8c17","hash":"ab","text":"x"}',
    ),
    "archive": (
        Archive(assets={"f": Asset(path="p")}, hash="ab"),
        (
            '{"4dabf18193072939515e22adb298388d":"0def7320c3a5731c473e5ecbe6d01bc7","assets":{"f":'
            '{"4dabf18193072939515e22adb298388d":"c44067f5952c0a294b673a41bacd8c17","path":"p"}},"hash":"ab"}'
        ),
    ),
    "reference": (
        ResourceRef(urn="u", id="i"),
        '{"4dabf18193072939515e22adb298388d":"5cf8f73096256a8f31e491e813e4eb8e","id":"i","packageVersion":"","urn":"u"}',
    ),
    "reference to a component": (
        ResourceRef(urn="u", package_version="1.0.0"),
        '{"4dabf18193072939515e22adb298388d":"5cf8f73096256a8f31e491e813e4eb8e","packageVersion":"1.0.0","urn":"u"}',
    ),
    "bytes": (
        b"\xff",
        '{"4dabf18193072939515e22adb298388d":"803fd3297a5875dc03ca845dda5d2a98","value":"/w=="}',
    ),
}


@pytest.mark.parametrize(("value", "written"), VALUES.values(), ids=list(VALUES))
def test_value_is_written_as_pulumi_writes_it_and_read_back(value: Any, written: str) -> None:
    state = thing("a", inputs={"v": value})

    assert f'"inputs":{{"v":{written}}}' in text(state)
    assert read(checkpoint(json.loads(text(state)))).resources == (state,)


@pytest.mark.parametrize(
    ("value", "read_as"), [(OutputValue(value=1, secret=True), Secret(1)), (OutputValue(), UNKNOWN)]
)
def test_output_value_collapses_in_the_state(value: OutputValue, read_as: Any) -> None:
    assert read(checkpoint(json.loads(text(thing("a", inputs={"v": value}))))).resources[0].inputs == {"v": read_as}


def test_full_record_comes_back_as_it_was() -> None:
    state = thing(
        "a", inputs={"a": [1, {"b": Secret(None)}]}, created=NOW, custom_timeouts={"create": 1.5}, extra={"x": 1}
    )

    assert read(checkpoint(json.loads(text(state)))).resources == (state,)


@pytest.mark.parametrize("trigger", [False, 0, "", [], {"a": Secret(None)}])
def test_replacement_trigger_is_kept_whatever_it_is(trigger: Any) -> None:
    state = thing("a", replacement_trigger=trigger)

    assert read(checkpoint(json.loads(text(state)))).resources == (state,)


def test_unknown_keys_are_kept_at_every_level() -> None:
    data = checkpoint(
        {"urn": STACK.urn, "custom": False, "type": STACK.type, "tomorrow": 1}, latest={"morrow": {"a": 1}}
    )
    found = read_checkpoint(data.replace(b'"stack":', b'"config":{"k":"v"},"stack":'), "f", StackSecrets({}))

    assert found.snapshot is not None
    assert found.snapshot.resources[0].extra == {"tomorrow": 1}
    assert found.snapshot.extra == {"morrow": {"a": 1}}
    assert found.extra == {"config": {"k": "v"}}


@pytest.mark.parametrize(
    ("fields", "feature"),
    [
        ({"taint": True}, "taint"),
        ({"refresh_before_update": True}, "refreshBeforeUpdate"),
        ({"replace_with": ("u",)}, "replaceWith"),
        ({"resource_hooks": {"afterCreate": ("h",)}}, "hooks"),
        ({"view_of": "u"}, "views"),
        ({"outputs": {"a": [Secret({"b": b"\xff"})]}}, "byteString"),
        ({"extra": {"snippetID": "s"}}, "snippets-prototype"),
    ],
)
def test_feature_makes_the_file_version_4(fields: dict[str, Any], feature: str) -> None:
    features = record_features(thing("a", **fields))
    assert features == {feature}

    data = render_checkpoint(HEAD, Sections(), features, None)
    assert data.startswith(f'{{"version":4,"features":["{feature}"],"checkpoint":'.encode())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"[]", "the file is no JSON object"),
        (checkpoint(version=5), "has version 5; this engine reads versions 3 and 4"),
        (checkpoint(version=2), "has version 2, which is too old"),
        (checkpoint(version="3"), "has version 3; this engine reads"),
        (checkpoint(version=4, features=["hooks", "telepathy", "views"]), "does not have: telepathy, views"),
        (checkpoint({"custom": True}), "misses its `urn`"),
        (checkpoint({"urn": "u"}), "misses its `type`"),
        (checkpoint({"urn": "u", "type": "t", "created": "yesterday"}), "'yesterday' is no RFC 3339 time"),
        (
            checkpoint({"urn": "u", "type": "t", "inputs": {"a": {"4dabf18193072939515e22adb298388d": "?"}}}),
            "unrecognized",
        ),
        (checkpoint(latest={"manifest": {"magic": "x", "version": "v3.1.0"}}), "magic cookie mismatch"),
        (checkpoint(latest={"secrets_providers": {"type": "service"}}, version=3), ""),
        (gzip.compress(b"{}")[:-4], "damaged compression"),
    ],
)
def test_refuses_a_file_it_cannot_use(data: bytes, said: str) -> None:
    if not said:
        assert read(data).resources == ()  # a foreign provider matters only once there is a secret to read
        return
    with pytest.raises(UsageError, match=said) as caught:
        read(data)
    assert caught.value.where == "dev.json"
    assert caught.value.remedy


@pytest.mark.parametrize("compressed", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_compression_is_told_by_content(compressed: Any) -> None:
    assert read(compressed(checkpoint(json.loads(text(STACK))))).resources == (STACK,)


def test_magic_of_a_release_cli_is_accepted() -> None:
    manifest = {"time": "2026-01-02T03:04:05Z", "version": "v3.260.0"}
    manifest["magic"] = hashlib.sha256(b"v3.260.0").hexdigest()

    assert read(checkpoint(latest={"manifest": manifest})).manifest_time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_ciphertext_stays_when_the_value_does() -> None:
    secrets = StackSecrets(ENVIRON)
    writing = state_vault(secrets, None)
    first = record_bytes(thing("a", inputs={"pw": Secret("x"), "n": 1}), writing)

    assert record_bytes(thing("a", inputs={"pw": Secret("x"), "n": 2}), writing) == first.replace(b'"n":1', b'"n":2')
    changed = json.loads(record_bytes(thing("a", inputs={"pw": Secret("y"), "n": 2}), writing))
    assert changed["inputs"]["pw"]["ciphertext"] != json.loads(first)["inputs"]["pw"]["ciphertext"]
    # Equal secrets of two resources must not be seen to be equal.
    other = json.loads(record_bytes(thing("b", inputs={"pw": Secret("x")}), writing))
    assert other["inputs"]["pw"]["ciphertext"] != json.loads(first)["inputs"]["pw"]["ciphertext"]


def test_ciphertext_of_a_read_file_stays() -> None:
    secrets = StackSecrets(ENVIRON)
    record = json.loads(record_bytes(thing("a", inputs={"pw": Secret({"a": "<"})}), state_vault(secrets, None)))
    provider = secrets.provider_state()
    assert provider is not None
    data = checkpoint(record, latest={"secrets_providers": {"type": provider[0], "state": provider[1]}})

    found = read_checkpoint(data, "f", StackSecrets(ENVIRON))

    assert found.snapshot is not None
    assert found.vault is not None
    assert json.loads(record_bytes(found.snapshot.resources[0], found.vault)) == record


def test_secret_under_another_salt_is_sealed_anew() -> None:
    old = StackSecrets(ENVIRON)
    record = json.loads(record_bytes(thing("a", inputs={"pw": Secret("x")}), state_vault(old, None)))
    provider = old.provider_state()
    assert provider is not None
    data = checkpoint(record, latest={"secrets_providers": {"type": provider[0], "state": provider[1]}})
    secrets = StackSecrets(ENVIRON)
    secrets.use_file_salt(new_passphrase("password").salt)

    found = read_checkpoint(data, "f", secrets)

    assert found.snapshot is not None
    assert found.vault is not None
    again = json.loads(record_bytes(found.snapshot.resources[0], found.vault))["inputs"]["pw"]["ciphertext"]
    assert again != record["inputs"]["pw"]["ciphertext"]
    assert secrets.manager().decrypt(again) == '"x"'


def test_refuses_a_wrong_passphrase_when_a_secret_must_be_read() -> None:
    secrets = StackSecrets(ENVIRON)
    record = json.loads(record_bytes(thing("a", inputs={"pw": Secret("x")}), state_vault(secrets, None)))
    provider = secrets.provider_state()
    assert provider is not None
    data = checkpoint(record, latest={"secrets_providers": {"type": provider[0], "state": provider[1]}})

    with pytest.raises(UsageError, match="incorrect passphrase"):
        read_checkpoint(data, "f", StackSecrets({"PULUMI_CONFIG_PASSPHRASE": "other"}))


def test_refuses_a_secret_that_is_both_plain_and_sealed() -> None:
    both = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "x", "plaintext": "x"}

    with pytest.raises(UsageError, match="exactly one of `ciphertext` or `plaintext`"):
        read(checkpoint({"urn": "u", "type": "t", "inputs": {"a": both}}))


@pytest.mark.parametrize(
    "moment",
    ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.6Z", "2026-01-02T03:04:05.123456789Z", "0001-01-01T00:00:00Z"],
)
def test_time_is_written_as_it_was_read(moment: str) -> None:
    assert format_time(parse_time(moment)) == moment


def test_pending_operation_comes_back() -> None:
    pending = PendingOperation(resource=thing("a", id=""), type=OperationType.IMPORTING)
    data = checkpoint(latest={"pending_operations": [json.loads(operation_bytes(pending, vault()))]})

    assert read(data).pending_operations == (pending,)


def test_dump_writes_no_escapes_beyond_json() -> None:
    assert dump({"a": "<ä>&\u2028\n"}) == '{"a":"<ä>&\u2028\\n"}'


def test_replaced_record_keeps_its_file_form() -> None:
    assert text(replace(STACK, outputs={"b": 1, "a": 2})).endswith('"outputs":{"a":2,"b":1}}')
    assert PREFIX in text(STACK)
