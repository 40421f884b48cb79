"""The cockpit's panels of text: task, rig, loop, the last take. Each shows what a snapshot holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from textual.content import Content
from textual.widgets import Static

from collector.session.state import State
from collector.tui.snapshot import CameraSeen, Snapshot

# Marks beside the colours, which not everybody can tell apart.
_MARKS = {
    "good": ("✓", "GOOD", "$success"),
    "look": ("?", "LOOK AT IT", "$warning"),
    "bad": ("!", "BAD", "$error"),
}

_BROKEN = 10  # cells that a line may lose to a word which goes into the next


class Panel(Static):
    """A text that is drawn again only when it has changed."""

    def __init__(self, *, id: str) -> None:
        super().__init__("", id=id)
        self._text: Content | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""
        raise NotImplementedError

    def put(self, text: Content) -> None:
        """Show a text."""
        if self._text is None or text.markup != self._text.markup:
            self._text = text
            self.set_class(not text.plain, "-empty")
            self.update(text)


class TaskLine(Panel):
    """The task, what to do now, the time and the counts, in words."""

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""
        parts = [snapshot.headline.detail] if snapshot.headline.detail else []
        if snapshot.take.task and snapshot.begun:
            parts.insert(0, snapshot.take.task)
        if snapshot.elapsed_s is not None:
            limited = snapshot.take.limit_s and snapshot.state is State.RECORDING
            limit = f" of {snapshot.take.limit_s:.0f} s" if limited else " s"
            parts.append(f"{snapshot.elapsed_s:.0f}{limit}")
        if snapshot.clutched:
            parts.append("CLUTCH: the robot is held")
        if snapshot.person_flies is not None:
            parts.append("you fly" if snapshot.person_flies else "the program flies")
        counts = []
        if snapshot.wanted is not None and snapshot.flying:
            counts = [
                f"{snapshot.kept} of {snapshot.wanted} kept",
                f"{snapshot.failed} failed",
                f"{snapshot.discarded} discarded",
            ]
            counts += [f"{snapshot.taken_back} taken back"] if snapshot.taken_back else []
            counts += [f"{snapshot.cut} interrupted"] if snapshot.cut else []
        what, room = " · ".join(parts), 2 * self.content_size.width - _BROKEN
        while counts and len(what) + len(", ".join(counts)) > room:
            counts.pop()  # whole ones, rather than one that is cut
        self.put(Content.from_markup("[b]$what[/b]  [dim]$counts[/dim]", what=what, counts=", ".join(counts)))


class VerdictLine(Panel):
    """The verdict on the last take and its first reason, where there is no room for more."""

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""
        verdict = snapshot.verdict
        if verdict is None or snapshot.elapsed_s is not None:
            self.put(Content(""))
            return
        mark, word, style = _MARKS[verdict["mark"]]
        why = "".join(f": {reason['words']}" for reason in verdict["reasons"][:1])
        self.put(
            Content.from_markup(
                f"[{style} b]{mark} {word}[/] episode $episode$why", episode=str(verdict["episode"]), why=why
            )
        )


class RigPanel(Panel):
    """What was found of the rig, before the first flight."""

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""
        if not snapshot.rig:
            self.put(Content("Looking at the rig ..."))
            return
        wrong = [finding for finding in snapshot.rig if not finding["ok"]]
        verdict = "all is well" if not wrong else f"{len(wrong)} to look at"
        lines = [
            Content.from_markup("[b]Rig check: $verdict[/b]", verdict=verdict),
            Content.from_markup("[b]→[/b] begins, [b]m[/b] practises: nothing is recorded"),
        ]
        # What is wrong stands first, where little room cuts the rest.
        for finding in sorted(snapshot.rig, key=lambda finding: (finding["ok"], not finding["needed"])):
            mark, style = (
                ("✓", "$success") if finding["ok"] else ("!", "$error" if finding["needed"] else "$warning")
            )
            lines.append(
                Content.from_markup(
                    f"[{style} b]{mark}[/] [b]$what[/b] $seen", what=finding["what"], seen=finding["seen"]
                )
            )
        self.put(Content("\n").join(lines))


class LoopPanel(Panel):
    """How control, cameras, encoder, disk and motors are."""

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""
        self.put(Content("\n").join(_loop_lines(snapshot)))


def _loop_lines(snapshot: Snapshot) -> Iterator[Content]:
    loop = snapshot.loop
    if loop.hz is not None:
        missed = f"[$error b]! {loop.missed} late[/]" if loop.missed else "0 late"
        yield Content.from_markup(
            f"[b]loop[/b] $hz Hz, p99 $late ms, {missed}, input $age ms",
            hz=f"{loop.hz:.1f}", late=f"{loop.late_p99_ms:.2f}", age=f"{loop.input_age_ms:.0f}",
        )  # fmt: skip
    for camera in snapshot.cameras:
        if camera.warning or camera.age_s is not None:
            yield _camera_line(camera)
    backlog = snapshot.backlog or {}
    if snapshot.cameras and snapshot.wanted is not None:
        full = backlog.get("flights", 0) >= max(1, backlog.get("limit", 0) - 1)
        yield Content.from_markup(
            f"[b]encoder[/b] [{'$error b' if full else 'default'}]$pictures pictures, "
            "$flights of $limit flights wait[/]",
            pictures=str(backlog.get("pictures", 0)), flights=str(backlog.get("flights", 0)),
            limit=str(backlog.get("limit", 0)),
        )  # fmt: skip
    if snapshot.disk_minutes is not None:
        style = "$error b" if snapshot.disk_minutes < 30 else "default"
        yield Content.from_markup(
            f"[b]disk[/b] [{style}]for $minutes min[/]", minutes=f"{snapshot.disk_minutes:,.0f}"
        )
    if snapshot.motors and "celsius" in snapshot.motors:
        margin = snapshot.motors["limit"] - snapshot.motors["celsius"]
        style = "$error b" if margin < 10 else "default"
        yield Content.from_markup(
            f"[b]motors[/b] [{style}]$motor at $heat °C, $margin below the limit[/]",
            motor=snapshot.motors["motor"], heat=f"{snapshot.motors['celsius']:.0f}", margin=f"{margin:.0f}",
        )  # fmt: skip


def _camera_line(camera: CameraSeen) -> Content:
    facts = [] if camera.fps is None else [f"{camera.fps:.1f} fps"]
    facts += [] if camera.age_s is None else [f"{1000 * camera.age_s:.0f} ms old"]
    warning = f" [$error b]! {camera.warning}[/]" if camera.warning else ""
    return Content.from_markup(f"[b]$name[/b] $facts{warning}", name=camera.name, facts=", ".join(facts))


class TakePanel(Panel):
    """The verdict on the last take, and what can be done with it."""

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot."""
        if snapshot.last is None:
            self.put(Content(""))
            return
        self.put(Content("\n").join(_take_lines(snapshot, snapshot.last)))


def _take_lines(snapshot: Snapshot, last: dict[str, Any]) -> Iterator[Content]:
    verdict, success = snapshot.verdict, snapshot.last_success
    outcome = {True: "success", False: "failure", None: "not marked"}[success]
    seconds = last["frames"] / snapshot.flying.get("fps", 30)
    title = Content.from_markup(
        "[b]episode $episode[/b]: $seconds s, $outcome",
        episode=str(last["episode"]), seconds=f"{seconds:.1f}", outcome=outcome,
    )  # fmt: skip
    if verdict is not None:
        mark, word, style = _MARKS[verdict["mark"]]
        title += Content.from_markup(f"  [{style} b]{mark} {word}[/]")
    yield title
    for reason in (verdict or {"reasons": []})["reasons"][:4]:
        yield Content.from_markup("  $words", words=reason["words"])
    yield Content.from_markup("[dim]+ success  - failure  u take back  v replay[/dim]")
