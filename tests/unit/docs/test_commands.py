"""Every command line in the workflows, the guides and the Makefile is one that exists, with these options."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml

from slipway.cli.app import app

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(
    r"(?<![\w./-])(?:\.venv/bin/)?slipway ((?:\$\{\{.*?\}\}|\$\{.*?\}|<[^>]*>|\"[^\"]*\"|[^`|>)#&;\n])+)"
)
PLACEHOLDER = re.compile(r"\$\{\{.*?\}\}|<[^>]*>|\$\w+|…")
TARGET = re.compile(r"(?:^|[`$] ?|run: )make ([a-z][a-z0-9-]*)", re.MULTILINE)


def commands_in(text: str) -> Iterator[list[str]]:
    """The arguments of each `slipway …`; what a reader fills in is filled in."""
    for found in COMMAND.finditer(text):
        line = re.sub(r"\$\{TO:\+(.*?)\}", r"\1", found[1])
        words = shlex.split(PLACEHOLDER.sub("7" if "--wait" in line else "dev", line))
        if words and re.fullmatch(r"[a-z-]+", words[0]):
            yield words


def sources() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        quoted = re.findall(r"`[^`\n]+`|^\$ .*$", page.read_text(), re.MULTILINE)
        yield page.relative_to(ROOT).as_posix(), "\n".join(quoted)
    for path in WORKFLOWS:
        runs = [
            step.get("run", "") for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]
        ]
        yield path.relative_to(ROOT).as_posix(), "\n".join(runs)
    yield "Makefile", (ROOT / "Makefile").read_text().replace("$(SLIPWAY)", "slipway --sandbox")


COMMANDS = [(name, words) for name, text in sources() for words in commands_in(text)]


def refusal_of(words: list[str]) -> str | None:
    """What the command line says of these arguments; a missing argument is no fault: prose names verbs alone."""
    command = typer.main.get_command(app)
    context = None
    try:
        while True:
            context = command.make_context(command.name or "slipway", list(words), parent=context)
            if not hasattr(command, "resolve_command"):
                return None
            _, found, words = command.resolve_command(context, [*context._protected_args, *context.args])
            assert found is not None
            command = found
    except Exception as error:  # noqa: BLE001 - typer raises click's errors, from click or from its own copy of it
        names = {each.__name__ for each in type(error).__mro__}
        text = str(getattr(error, "message", error))
        if names & {"Exit", "MissingParameter", "NoArgsIsHelpError"} or "does not exist" in text:
            return None  # a file that the reader has
        return f"{type(error).__name__}: {text}"


@pytest.mark.parametrize(("source", "words"), COMMANDS, ids=[f"{name}: {' '.join(words)}" for name, words in COMMANDS])
def test_command_line_is_one_that_exists(source: str, words: list[str]) -> None:
    assert refusal_of(words) is None


def test_the_check_sees_wrong_commands_and_many_right_ones() -> None:
    assert "NoSuchOption" in str(refusal_of(["up", "dev", "--now"]))
    assert "No such command" in str(refusal_of(["ship", "dev"]))
    assert "UsageError" in str(refusal_of(["up", "dev", "staging"]))
    assert len(COMMANDS) > 50
    assert {source for source, _ in COMMANDS} >= {"README.md", "Makefile", ".github/workflows/promote.yml"}


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    texts = [text for name, text in sources() if name != "Makefile"] + [(ROOT / ".ci" / "run").read_text()]
    named = {target for text in texts for target in TARGET.findall(text)}
    assert named >= {"demo", "test"}
    assert named <= targets
