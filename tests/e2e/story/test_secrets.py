"""The databases' passwords and the passphrase's secrets are nowhere in plain text: not in state, logs, checkout or output.

The cloud's own storage (AWS API, etcd, PostgreSQL) is left out: it is what keeps them.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from story_kit import Slipway


@pytest.fixture
def webhook(slipway: Slipway) -> str:
    """A secret of the stack file, set as the documentation says, and used by one `up`. Made here: the checkout has this very file."""
    address = f"http://127.0.0.1:9/hooks/{uuid4().hex}"
    done = slipway.pulumi("config", "set", "slipway:webhookUrl", "--secret", "--stack", "dev", given=address)
    assert done.returncode == 0, done.stderr
    slipway.run("up", "dev", "--yes")
    return address


def _passwords(slipway: Slipway) -> list[str]:
    client = slipway.client("secretsmanager")
    found = []
    for secret in client.list_secrets()["SecretList"]:
        text = client.get_secret_value(SecretId=secret["ARN"])["SecretString"]
        found.append(json.loads(text)["password"])
    return found


def _haystacks(slipway: Slipway) -> dict[str, bytes]:
    folders = [slipway.paths.sandbox / "pulumi", slipway.paths.logs, slipway.checkout]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    texts = {str(path): path.read_bytes() for path in files}
    texts["what the commands said"] = "\n".join(slipway.said).encode()
    return texts


def test_no_secret_is_written_or_said_in_plain_text(slipway: Slipway, webhook: str) -> None:
    shown = slipway.run("outputs", "dev").stdout
    exported = slipway.pulumi("stack", "export", "--stack", "dev").stdout
    slipway.run("preview", "dev", "--json")
    slipway.run("history", "dev", "--json")
    assert "[secret]" in shown
    assert "ciphertext" in exported

    secrets = [webhook, *_passwords(slipway)]
    secrets.append((slipway.paths.home / "passphrase").read_text())
    assert len(secrets) >= 5, "webhook, three databases, passphrase"
    needles = [form for secret in secrets for form in (secret.encode(), base64.b64encode(secret.encode()))]
    texts = _haystacks(slipway)
    assert any(Path(name).name == "dev.json" for name in texts), "the search looks at the state"
    found = [name for name, text in texts.items() if any(needle in text for needle in needles)]
    assert found == []
