"""Progress to watch: on a terminal what runs just now stands at the bottom and moves; elsewhere one line for each thing done."""

from __future__ import annotations

import time

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from slipway.engine.display.plan import message_text, output_lines
from slipway.engine.display.words import counts_text, duration_text, label_of, words_of
from slipway.engine.events import (
    DiagnosticEvent,
    Event,
    HeartbeatEvent,
    Op,
    PolicyEvent,
    PreludeEvent,
    ResourceFailedEvent,
    ResourceOutputsEvent,
    ResourcePreEvent,
    StdoutEvent,
    Step,
    SummaryEvent,
)
from slipway.engine.urn import STACK_TYPE

MOST_RUNNING_LINES = 10
"""Lines of running steps on a terminal; the rest is counted."""
QUIET_SECONDS = 15
"""Elsewhere a step that runs this long gets a line of its own, so that a log does not stand still without a reason."""


class ProgressDisplay:
    """Prints progress. Call it with each event."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._running: dict[str, _Running] = {}
        self._live: Live | None = None

    def __call__(self, event: Event) -> None:
        """Take one event."""
        match event:
            case PreludeEvent():
                self._begin()
            case ResourcePreEvent():
                self._start(event.step)
            case ResourceOutputsEvent():
                self._finish(event.step)
            case ResourceFailedEvent():
                self._running.pop(event.step.urn, None)
                self._say(Text.assemble(("✗ ", "red"), f"{label_of(event.step)} failed"))
            case StdoutEvent():
                self._say(Text(event.message.rstrip("\n")))
            case DiagnosticEvent():
                self._diagnose(event)
            case PolicyEvent():
                self._say(message_text(event))
            case HeartbeatEvent():
                for running in self._running.values():
                    self._tell_if_due(running)
            case SummaryEvent():
                self._end(event)
            case _:
                pass

    def _begin(self) -> None:
        if self._console.is_terminal and self._live is None:
            self._live = Live(console=self._console, refresh_per_second=8, transient=True, get_renderable=self._picture)
            self._live.start()

    def _start(self, step: Step) -> None:
        if step.op is not Op.REPLACE and not step.is_internal and step.state.custom:
            self._running[step.urn] = _Running(step)

    def _finish(self, step: Step) -> None:
        running = self._running.pop(step.urn, None)
        if step.state.type == STACK_TYPE and step.op is Op.SAME and step.new and step.old:
            self._outputs(step)
        is_told = step.op not in (Op.SAME, Op.REPLACE) and not step.is_internal and step.state.type != STACK_TYPE
        if step.op is Op.REFRESH and step.new is not None and not step.change.changed:
            is_told = False
        if not is_told:
            return
        words = words_of(step.op)
        done = "is gone" if step.op is Op.REFRESH and step.new is None else words.done
        seconds = running.seconds if running else 0.0
        spent = f"  ({duration_text(seconds)})" if seconds >= 1 else ""
        self._say(Text.assemble((f"{words.symbol} ", words.style), f"{label_of(step)} {done}", (spent, "dim")))

    def _outputs(self, step: Step) -> None:
        if step.old is not None and step.new is not None:
            for line in output_lines(step.old.outputs, step.new.outputs):
                self._say(line)

    def _diagnose(self, event: DiagnosticEvent) -> None:
        if event.severity == "debug":
            return
        running = self._running.get(event.urn)
        if not event.ephemeral:
            self._say(message_text(event))
        elif running is not None:
            running.status = event.message
            self._tell_if_due(running)

    def _tell_if_due(self, running: _Running) -> None:
        if self._live is None and running.is_due():
            self._say(Text.assemble("  ", running.text(), style="dim"))

    def _end(self, summary: SummaryEvent) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        line = counts_text(summary.changes, is_preview=summary.is_preview)
        verdict = Text("" if summary.ok else "failed: ", style="bold red")
        self._say(Text.assemble(verdict, line, (f"   ({duration_text(summary.duration_seconds)})", "dim")))

    def _say(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)

    def _picture(self) -> Group:
        running = list(self._running.values())
        lines = [Spinner("dots", text=one.text()) for one in running[:MOST_RUNNING_LINES]]
        rest = (
            [Text(f"  … and {len(running) - MOST_RUNNING_LINES} more", style="dim")]
            if len(running) > MOST_RUNNING_LINES
            else []
        )
        return Group(*lines, *rest)


class _Running:
    """A step that is under way."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.status = ""
        self._began = time.monotonic()
        self._told = self._began

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def is_due(self) -> bool:
        """Whether it is time for another line about it, which then counts as told."""
        now = time.monotonic()
        if now - self._told < QUIET_SECONDS:
            return False
        self._told = now
        return True

    def text(self) -> Text:
        """What is done, to what, what it waits for, and for how long."""
        words = words_of(self.step.op)
        status = f": {self.status}" if self.status else ""
        return Text.assemble(
            (f"{words.doing} ", words.style),
            f"{label_of(self.step)}{status}",
            (f"  {duration_text(self.seconds)}", "dim"),
        )
