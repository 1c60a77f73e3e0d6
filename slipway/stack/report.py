"""A preview as Markdown for a pull request: what really changes, why anything is replaced, what is at risk; never a value.

Of properties only names are shown, apart from address ranges and policy statements: a secret cannot leak from what is not printed.
Names and texts of others are scrubbed and escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from slipway.errors import PolicyError, SlipwayError
from slipway.scrubbing import scrub
from slipway.stack.preview import PlannedStep, Preview
from slipway.stack.result import StackResult
from slipway.stack.rules import REPLACING, find_broader_access, find_data_risks, is_cascade

LIMIT_CHARACTERS = 64_000
"""Comments on pull requests are cut at 65,536 characters; some room is left for whoever adds a heading."""
SHOWN_OPS = ("replace", "delete", "create", "update", "import", "read", "refresh")
MARKS = {"replace": "±", "delete": "-", "create": "+", "update": "~", "import": "=", "read": "<", "refresh": "~"}
PROPERTIES_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class MarkdownReport:
    """The comment, and what the command itself should fail with."""

    markdown: str
    failure: SlipwayError | None = None
    """The preview failed, or a policy refused; None: it went well."""


class Previewed(Protocol):
    """A stack that can be previewed."""

    name: str

    def preview(self) -> StackResult:
        """What `up` would do."""
        ...


def preview_markdown(stack: Previewed) -> MarkdownReport:
    """Preview the stack and describe it. A failed preview is described too, so that the pull request shows why."""
    try:
        result = stack.preview()
    except SlipwayError as error:
        lines = tuple(line for line in error.what.splitlines() if line.strip())
        preview = (
            Preview(steps=(), policy=lines) if isinstance(error, PolicyError) else Preview(steps=(), problems=lines)
        )
        return MarkdownReport(markdown=render_markdown(preview, stack.name, failed=True), failure=error)
    preview = result.preview or Preview(steps=(), changes=result.changes)
    return MarkdownReport(markdown=render_markdown(preview, stack.name))


def render_markdown(preview: Preview, environment: str, *, failed: bool = False, limit: int = LIMIT_CHARACTERS) -> str:
    """The report, most important part first; what does not fit is left out from the end, and said so."""
    by_urn = {step.urn: step for step in preview.steps}
    logical = [step for step in preview.steps if step.op in SHOWN_OPS]
    cascades = [step for step in logical if is_cascade(step, by_urn)]
    real = [step for step in logical if step not in cascades]
    title = f"### Preview of `{_escape(environment)}`: {_summary(preview, real, cascades, failed=failed)}"
    sections = [
        _section("Data at risk", _bullets(risk for step in real for risk in find_data_risks(step))),
        _section("Access becomes broader", _bullets(line for step in real for line in find_broader_access(step))),
        _section("Policy findings", _bullets(preview.policy)),
        _section("Problems", _bullets(preview.problems)),
        *(
            _section(f"{op.capitalize()} ({len(steps)})", _steps(steps))
            for op in SHOWN_OPS
            if (steps := [s for s in real if s.op == op])
        ),
        _section(f"Only follows from the above ({len(cascades)})", _steps(cascades), folded=True),
    ]
    return _fit(title, [section for section in sections if section], limit)


def _summary(preview: Preview, real: Sequence[PlannedStep], cascades: Sequence[PlannedStep], *, failed: bool) -> str:
    if failed:
        return "refused" if preview.policy else "failed"
    if not real and not cascades:
        same = preview.changes.get("same", 0)
        return f"no changes ({same} resources)" if same else "no changes"
    counts = [
        f"{sum(step.op == op for step in real)} to {op}" for op in SHOWN_OPS if any(step.op == op for step in real)
    ]
    counts += [f"{len(cascades)} only follow"] if cascades else []
    return ", ".join(counts)


def _steps(steps: Sequence[PlannedStep]) -> list[str]:
    return [_step(step) for step in sorted(steps, key=lambda item: (item.type, item.name))]


def _step(step: PlannedStep) -> str:
    line = f"- {MARKS[step.op]} `{_escape(step.name)}` {_escape(step.type)}"
    if step.op in REPLACING and step.replaces_because:
        return f"{line}: replaced because {_names(step.replaces_because)} changes"
    return f"{line}: {_names(step.changed)}" if step.op == "update" and step.changed else line


def _names(paths: Sequence[str]) -> str:
    shown = ", ".join(f"`{_escape(path)}`" for path in paths[:PROPERTIES_SHOWN])
    more = len(paths) - PROPERTIES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _bullets(lines: Iterator[str] | Sequence[str]) -> list[str]:
    return [f"- {scrub(line).replace('<', '&lt;')}" for line in dict.fromkeys(lines)]


def _section(title: str, lines: Sequence[str], *, folded: bool = False) -> list[str]:
    if not lines:
        return []
    if folded:
        return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>", ""]
    return [f"#### {title}", *lines, ""]


def _fit(title: str, sections: Sequence[Sequence[str]], limit: int) -> str:
    """Whole lines by priority; a section that is cut says how much is missing, and later ones only their size."""
    room = limit - len(title) - 400
    kept: list[str] = [title, ""]
    missing = 0
    for section in sections:
        for position, line in enumerate(section):
            closing = line == "</details>"
            if len(line) + 1 <= room or closing:
                kept.append(line)
                room -= len(line) + 1
            else:
                missing += sum(1 for rest in section[position:] if rest.startswith("- "))
                room = 0
                if section[0].startswith("<details>"):
                    kept += ["", "</details>"]
                break
    if missing:
        kept += ["", f"*{missing} more lines do not fit into a comment; run the preview to see them all.*"]
    return "\n".join(kept).rstrip() + "\n"


def _escape(text: str) -> str:
    return scrub(text).replace("`", "'").replace("<", "&lt;").replace("\n", " ")
