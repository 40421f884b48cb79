"""What a key decides becomes a label: on the episode, or on all that are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from collector.errors import UsageError
from curation.carried import carried
from curation.label_values import check_frames
from curation.ledger import Decision, Ledger
from curation.queue import said_cell
from curation.room import Room
from curation.show import counted, episode_list


class Deciding:
    """Makes decisions of a person's wishes, and hands them to the ledger.

    Args:
        room: Where the review stands; decisions count there at once.
        ledger: Where they are written; None: nothing may be written, as `why_not` says.
        why_not: Why nothing may be written.
    """

    def __init__(self, room: Room, ledger: Ledger | None, why_not: str = "") -> None:
        self._room, self._ledger, self._why_not = room, ledger, why_not

    def decide(self, episodes: Sequence[int], field: str, value: Any, settles: bool = False) -> str:
        """Decide on episodes; return what was decided in words.

        In the list of disputes every decision on what is in dispute settles it.

        Raises:
            UsageError: If nothing may be written, or an episode lacks the frames that the value names.
        """
        ledger = self.writable()
        check_frames(self._room.dataset, episodes, {field: value})
        standing = self._room.standing
        ends = settles or (
            self._room.disputed_only
            and any(c.field == field for e in episodes for c in standing.conflicts.get(e, ()))
        )
        ledger.add(Decision(field, tuple(episodes), value, ends))
        standing.apply(episodes, field, value, ends)
        return f"{_about(episodes)}: {field} {_change(value)}{' (settled)' if ends else ''}"

    def take_back(self, what: str) -> None:
        """Undo or redo; the ledger tells what became of it. Raises as `decide`."""
        self.writable().add(Decision(what))

    def toggle_tag(self, episodes: Sequence[int], tag: str) -> str:
        """Give all the episodes a tag, or take it away where all have it. Raises as `decide`."""
        has = all(tag in (self._room.standing.value(e, "tags") or ()) for e in episodes)
        return self.decide(episodes, "tags", {"remove" if has else "add": [tag]})

    def carry(self, episode: int) -> str:
        """Give an episode the sentences of the one that was segmented last, scaled in time.

        Raises:
            UsageError: If there is none, or as `decide`.
        """
        standing = self._room.standing
        template = standing.template
        if template is None or template == episode:
            raise UsageError("no other episode has segments by you yet: make some with g")
        segments = standing.mine(template).get("segments") or []
        lengths = standing.lengths
        scaled = carried(segments, int(lengths[template]), int(lengths[episode]))
        return self.decide([episode], "segments", {"add": scaled}) + f" (carried from episode {template})"

    def unsegment(self, episode: int, frame: int) -> str:
        """Take away the segment that a frame lies in. Raises as `decide`, and where there is none."""
        for one in self._room.standing.said(episode).get("segments") or ():
            if one["from_frame"] <= frame < one["to_frame"]:
                gone = [one["from_frame"], one["to_frame"]]
                return self.decide([episode], "segments", {"remove": [gone]})
        raise UsageError(f"episode {episode} has no segment at frame {frame}")

    def take_side(self, episode: int, side: int) -> str:
        """Settle the first dispute about an episode: what one of those said holds.

        Args:
            side: Whose word, by its number.

        Raises:
            UsageError: If there is no dispute, or as `decide`.
        """
        conflict = self._dispute(episode)
        if side >= len(conflict.said):
            raise UsageError(f"only {len(conflict.said)} people spoke")
        author, value, _ = conflict.said[side]
        return self.settle_as(episode, conflict, value) + f", as {author} said"

    def settle(self, episode: int) -> str:
        """End the first dispute about an episode by what holds now. Raises as `take_side`."""
        conflict = self._dispute(episode)
        return self.settle_as(episode, conflict, conflict.holds)

    def settle_as(self, episode: int, conflict: Any, value: Any) -> str:
        """End a dispute by a value, of a set's element by having it or not. Raises as `decide`."""
        if conflict.field == "tags":
            value = {"add" if value else "remove": [conflict.element]}
        elif conflict.field == "segments":
            first, last = conflict.element
            given = {"from_frame": first, "to_frame": last, "text": value}
            value = {"add": [given]} if value else {"remove": [[first, last]]}
        return self.decide([episode], conflict.field, value, settles=True)

    def _dispute(self, episode: int) -> Any:
        disputes = self._room.standing.disputes(episode)
        if not disputes:
            raise UsageError(f"no two people differ about episode {episode}")
        return disputes[0]

    def writable(self) -> Ledger:
        """Return the ledger.

        Raises:
            UsageError: If nothing may be written.
        """
        if self._ledger is None:
            raise UsageError(self._why_not)
        return self._ledger


def _about(episodes: Sequence[int]) -> str:
    return (
        f"episode {episodes[0]}"
        if len(episodes) == 1
        else f"{counted(len(episodes))} ({episode_list(episodes)})"
    )


def _change(value: Any) -> str:
    if not isinstance(value, dict):
        return said_cell(value)
    return ", ".join(
        f"{sign} {said_cell([one]) if isinstance(one, dict) else said_cell(one)}"
        for sign, key in (("+", "add"), ("-", "remove"))
        for one in value.get(key, ())
    )
