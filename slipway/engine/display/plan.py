"""A plan to read: the resources that change, as a tree under their components, with what changes of each and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from slipway.engine import urn as urns
from slipway.engine.deployment.compare import values_equal
from slipway.engine.display.properties import property_lines, value_text
from slipway.engine.display.words import counts_text, duration_text, short_type, words_of
from slipway.engine.events import (
    DiagnosticEvent,
    Event,
    Op,
    PolicyEvent,
    ResourceFailedEvent,
    ResourceOutputsEvent,
    StdoutEvent,
    Step,
    SummaryEvent,
)
from slipway.engine.values import UNKNOWN

# The steps that make up a replacement are told by the one that stands for all of them.
_PARTS = frozenset(
    {Op.CREATE_REPLACEMENT, Op.DELETE_REPLACED, Op.DISCARD_REPLACED, Op.READ_REPLACEMENT, Op.IMPORT_REPLACEMENT}
)


class PlanDisplay:
    """Collects a preview's events and prints the plan at its end. Call it with each event."""

    def __init__(self, console: Console, *, show_same: bool = False) -> None:
        """`show_same`: list unchanged resources too."""
        self._console = console
        self._show_same = show_same
        self._steps: dict[str, Step] = {}
        self._parents: dict[str, str] = {}
        self._outputs: Mapping[str, Any] = {}
        self._old_outputs: Mapping[str, Any] = {}
        self._messages: list[DiagnosticEvent | PolicyEvent] = []

    def __call__(self, event: Event) -> None:
        """Take one event."""
        match event:
            case ResourceOutputsEvent():
                self._take(event.step)
            case ResourceFailedEvent():
                self._steps.setdefault(event.step.urn, event.step)
            case StdoutEvent():
                self._console.print(Text(event.message.rstrip("\n")))
            case DiagnosticEvent() if event.severity != "debug" and not event.ephemeral:
                self._messages.append(event)
            case PolicyEvent():
                self._messages.append(event)
            case SummaryEvent():
                self._print(event)
            case _:
                pass

    def _take(self, step: Step) -> None:
        state = step.state
        self._parents[step.urn] = state.parent
        if state.type == urns.STACK_TYPE:
            self._outputs = state.outputs if step.new else {}
            self._old_outputs = step.old.outputs if step.old else {}
        if step.op is Op.REFRESH and step.new is not None and not step.change.changed:
            return
        known = self._steps.get(step.urn)
        if step.op in _PARTS or (known is not None and step.op is Op.SAME):
            self._steps.setdefault(step.urn, step)
        else:
            self._steps[step.urn] = step

    def _print(self, summary: SummaryEvent) -> None:
        shown = {urn: step for urn, step in self._steps.items() if self._is_shown(step)}
        if shown:
            self._console.print(self._tree(shown))
            self._console.print()
        self._print_outputs()
        for message in self._messages:
            self._console.print(message_text(message))
        line = counts_text(summary.changes, is_preview=summary.is_preview)
        self._console.print(Text.assemble(line, (f"   ({duration_text(summary.duration_seconds)})", "dim")))

    def _is_shown(self, step: Step) -> bool:
        if step.is_internal:
            return False
        return self._show_same or step.op is not Op.SAME

    def _tree(self, shown: Mapping[str, Step]) -> Tree:
        tree = Tree(Text("stack", style="dim"), guide_style="dim", hide_root=True)
        branches: dict[str, Tree] = {"": tree}
        for urn, step in shown.items():
            branch = (
                self._branch(step.state.parent, shown, branches).add(_heading(step))
                if urn not in branches
                else branches[urn]
            )
            branches[urn] = branch
            for line in property_lines(step):
                branch.add(line)
        return tree

    def _branch(self, urn: str, shown: Mapping[str, Step], branches: dict[str, Tree]) -> Tree:
        """The branch of a parent; a component that does not change itself is named all the same, to hold what does."""
        if urn in branches:
            return branches[urn]
        if not urn or (urns.type_of(urn) == urns.STACK_TYPE and urn not in shown):
            return branches[""]
        parent = self._branch(self._parents.get(urn, ""), shown, branches)
        heading = (
            _heading(shown[urn])
            if urn in shown
            else Text(f"  {short_type(urns.type_of(urn))} {urns.name_of(urn)}", style="dim")
        )
        branches[urn] = parent.add(heading)
        return branches[urn]

    def _print_outputs(self) -> None:
        lines = list(output_lines(self._old_outputs, self._outputs))
        if lines:
            self._console.print(Text("outputs", style="bold"))
            for line in lines:
                self._console.print(line)
            self._console.print()


def _heading(step: Step) -> Text:
    words = words_of(step.op)
    name = Text(urns.name_of(step.urn), style="bold")
    return Text.assemble(
        (f"{words.symbol} ", words.style), f"{short_type(step.state.type)} ", name, (f"  {words.plan}", words.style)
    )


def output_lines(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Text]:
    """What changes of the stack's outputs."""
    lines: list[Text] = []
    for key in dict.fromkeys([*new, *old]):
        if key not in old:
            lines.append(Text.assemble(("  + ", "green"), f"{key}: ", value_text(new[key])))
        elif key not in new:
            lines.append(Text.assemble(("  - ", "red"), f"{key}: ", value_text(old[key])))
        elif new[key] is UNKNOWN or not values_equal(old[key], new[key]):
            lines.append(
                Text.assemble(
                    ("  ~ ", "yellow"), f"{key}: ", value_text(old[key]), (" => ", "dim"), value_text(new[key])
                )
            )
    return lines


def message_text(event: DiagnosticEvent | PolicyEvent) -> Text:
    """A diagnostic or a policy violation, with the resource it is about."""
    if isinstance(event, PolicyEvent):
        style = "red" if event.enforcement == "mandatory" else "yellow"
        where = f"{urns.name_of(event.urn)}: " if event.urn else ""
        return Text.assemble(
            (f"policy {event.enforcement}: ", style), f"{where}{event.policy} ({event.pack}): {event.message}"
        )
    style = {"error": "red", "warning": "yellow"}.get(event.severity, "dim")
    where = f"{short_type(urns.type_of(event.urn))} {urns.name_of(event.urn)}: " if event.urn else ""
    return Text.assemble((f"{event.severity.partition('#')[0]}: ", style), f"{where}{event.message}")
