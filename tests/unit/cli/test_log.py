"""Where the parts' own messages go."""

from __future__ import annotations

import pytest

from slipway.log import get_logger


def test_messages_leave_alone_what_a_command_answers(capsys: pytest.CaptureFixture[str]) -> None:
    """As in `PATH="$(dirname "$(slipway sandbox pulumi)"):$PATH"`, where the CLI is built first."""
    get_logger("slipway.sandbox").info("built", group="pulumi")

    said = capsys.readouterr()
    assert (said.out, "built" in said.err) == ("", True)
