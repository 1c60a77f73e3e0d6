"""The page on testing components shows what works: its snippets run as they are, in a folder outside this repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from slipway.testing.checks import DEFAULTS
from slipway.testing.session import Options

pytest_plugins = ["pytester"]
PAGE = (Path(__file__).parents[3] / "docs/testing-components.md").read_text()
COMPONENT, *TESTS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_snippets_pass_and_fail_when_the_component_changes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(my_components=COMPONENT)
    pytester.makepyfile(test_site="\n".join(TESTS))
    pytester.syspathinsert()

    first = pytester.runpytest_subprocess("-p", "no:randomly", "--slipway-record", "--slipway-update-snapshots")
    first.assert_outcomes(passed=3)

    changed = COMPONENT.replace("-bucket", "-files").replace("block_public_acls=True", "block_public_acls=False")
    pytester.makepyfile(my_components=changed)
    second = pytester.runpytest_subprocess("-p", "no:randomly")
    second.assert_outcomes(failed=3)
    second.stdout.re_match_lines_random([r".*<delete urn:.*docs-bucket.*", r".*\+ .*Bucket docs-files:"])


def test_page_names_every_check_and_option() -> None:
    for name in DEFAULTS:
        assert re.search(rf"^\| `{name}`", PAGE, re.MULTILINE)
    for name in Options.__dataclass_fields__:
        assert f"`{name}=" in PAGE or f" `{name}=" in PAGE
