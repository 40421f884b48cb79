"""All that can be done in the review room: one list, of which keys, help, palette and the line of keys are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from textual.binding import Binding

from collector.keymap import rekeyed
from collector.tui.draw.keynames import letter_key

DECIDE, MARK, FIND, TOGETHER, SHARE, PLAY, ROOM = (
    "decide", "choose rows", "find", "with others", "publish", "play", "the room",
)  # fmt: skip


@dataclass(frozen=True)
class Action:
    """One thing to do.

    Attributes:
        name: As it is called in `--keys`.
        keys: Which keys do it, as Textual calls them, or single letters.
        title: In a word or two, for the line of keys.
        help: In a sentence.
        command: The command that does the same; '' where it is only about the screen.
        group: Under which heading help lists it.
        decides: Field and value of the label that it sets; None where it is no such decision.
        player: What the player is asked for, in Textual's words; '' where the room does it itself.
    """

    name: str
    keys: tuple[str, ...]
    title: str
    help: str
    command: str = ""
    group: str = ROOM
    decides: tuple[str, Any] | None = None
    player: str = ""


_LABEL = "demodeck label DATASET N"


def _rate(n: int) -> Action:
    return Action(
        f"rate_{n}",
        (str(n),),
        f"rate {n}",
        f"Rate it {n} of 5",
        f"{_LABEL} --rating {n}",
        DECIDE,
        ("rating", n),
    )


ACTIONS = (
    Action("keep", ("k",), "keep", "Keep it", f"{_LABEL} --verdict keep", DECIDE, ("verdict", "keep")),
    Action("drop", ("d",), "drop", "Drop it", f"{_LABEL} --verdict drop", DECIDE, ("verdict", "drop")),
    Action(
        "success", ("s",), "success",
        "It is a success", f"{_LABEL} --success true", DECIDE, ("success", True),
    ),
    Action(
        "failure", ("f",), "failure",
        "It is a failure", f"{_LABEL} --success false", DECIDE, ("success", False),
    ),
    *map(_rate, range(1, 6)),
    Action(
        "tags", ("t",), "tags",
        "Give it tags, or take them away", f"{_LABEL} --tag A,B --untag C", DECIDE,
    ),
    Action("note", ("n",), "note", "Write a note", f'{_LABEL} --note "TEXT"', DECIDE),
    Action("mark_in", (",",), "in", "Put the mark 'in' at the player's frame", group=DECIDE),
    Action("mark_out", (".",), "out", "Put the mark 'out' behind the player's frame", group=DECIDE),
    Action("trim", ("c",), "cut", "Cut it to what lies between the marks", f"{_LABEL} --trim IN:OUT", DECIDE),
    Action("untrim", ("C",), "uncut", "Do not cut it", f"{_LABEL} --trim none", DECIDE, ("trim", None)),
    Action(
        "segment", ("g",), "segment", "Say in a sentence what is done between the marks",
        f'{_LABEL} --segment "IN:OUT=TEXT"', DECIDE,
    ),
    Action(
        "unsegment", ("G",), "no segment",
        "Take away the segment at the frame", f"{_LABEL} --unsegment IN:OUT", DECIDE,
    ),
    Action(
        "carry", ("w",), "carry", "Give it the sentences of the episode segmented last, scaled in time",
        f'{_LABEL} --segment "IN:OUT=TEXT" ...', DECIDE,
    ),
    Action(
        "undecide", ("0",), "undecide",
        "Take the verdict back", f"{_LABEL} --verdict none", DECIDE, ("verdict", None),
    ),
    Action(
        "unrate", (), "no rating",
        "Take the rating away", f"{_LABEL} --rating none", DECIDE, ("rating", None),
    ),
    Action(
        "unmark", (), "unmarked",
        "Success as it was recorded", f"{_LABEL} --success none", DECIDE, ("success", None),
    ),
    Action(
        "undo", ("u",), "undo",
        "Take back what you said last, without limit", "demodeck label DATASET --undo --by AUTHOR", DECIDE,
    ),
    Action("redo", ("U",), "redo", "Say it again", "demodeck label DATASET --redo --by AUTHOR", DECIDE),
    Action("next", ("j",), "next", "To the next episode that waits", group=MARK),
    Action(
        "row", ("x",), "choose",
        "Choose the row, or no longer: decisions go to all chosen ones", "demodeck label DATASET 3,7-9 ...", MARK,
    ),
    Action(
        "rows", ("X",), "range",
        "Choose all rows from the last chosen one to this", "demodeck label DATASET 3-9 ...", MARK,
    ),
    Action(
        "all", ("a",), "all",
        "Choose all rows of the list", 'demodeck label DATASET --where "SQL" ...', MARK,
    ),
    Action("none", ("escape",), "none", "Choose none; show the whole list again", group=MARK),
    Action(
        "filter", ("/",), "filter",
        "Filter by an SQL condition, with completion", 'demodeck review DATASET --where "SQL" --list', FIND,
    ),
    Action(
        "words", ("W",), "in words",
        "Filter by plain words, and see their SQL", 'demodeck query DATASET "SQL"', FIND,
    ),
    Action(
        "selections", ("@",), "saved",
        "Pick, or forget, a saved selection", "demodeck query DATASET --saved, --forget NAME", FIND,
    ),
    Action(
        "save", ("S",), "save filter",
        "Save the filter under a name", 'demodeck query DATASET "SQL" --save NAME', FIND,
    ),
    Action(
        "sort", ("r",), "sort",
        "Sort anew by what most needs eyes", "demodeck review DATASET --list", FIND,
    ),
    Action(
        "adjudicate", ("A",), "disputes",
        "Show where people differ, and settle it; again: all", "demodeck review DATASET --adjudicate --list", TOGETHER,
    ),
    Action(
        "take_left", ("<",), "left",
        "Settle a dispute: the first one's word holds", f"{_LABEL} --FIELD VALUE --settle", TOGETHER,
    ),
    Action(
        "take_right", (">",), "right",
        "Settle a dispute: the second one's word holds", f"{_LABEL} --FIELD VALUE --settle", TOGETHER,
    ),
    Action(
        "settle", ("y",), "settle",
        "What holds now ends the dispute", f"{_LABEL} --FIELD VALUE --settle", TOGETHER,
    ),
    Action(
        "blind", ("V",), "blind",
        "Judge a drawn sample without what others said; again: all", "demodeck agreement DATASET --draw 30", TOGETHER,
    ),
    Action(
        "agreement", ("K",), "agreement",
        "Show how far people agree (kappa)", "demodeck agreement DATASET", TOGETHER,
    ),
    Action(
        "merge", ("M",), "merge",
        "Take over what others said", "demodeck label DATASET --merge OTHER", TOGETHER,
    ),
    Action("score", ("R",), "score", "Run the checks, and rank", "demodeck score DATASET --rank", SHARE),
    Action(
        "report", ("O",), "report",
        "Write a page of HTML", "demodeck report DATASET --output=FILE.html", SHARE,
    ),
    Action(
        "publish", ("P",), "publish",
        "Show what would change on the Hub, and publish", "demodeck publish DATASET --repo-id OWNER/NAME", SHARE,
    ),
    Action("view", ("z",), "view", "Give the room to the list, to the player, or to both"),
    Action("help", ("?",), "help", "Show all keys, and the commands that do the same"),
    Action("palette", ("ctrl+p",), "palette", "Find anything by its name; themes, too"),
    Action("quit", ("q",), "quit", "Leave; all that was decided is saved"),
)  # fmt: skip


def all_actions(keys: Mapping[str, str | list[str]], player: list[Any]) -> tuple[Action, ...]:
    """Return the actions of the room and of its player, with the keys that a person gave them.

    Args:
        keys: Key, or list of keys, by the name of the action.
        player: The player's bindings.

    Raises:
        UsageError: If there is no such action, or a key would mean two things.
    """
    plays = tuple(
        Action(
            (one.id or one.action).removeprefix("player."), tuple(map(letter_key, one.key.split(","))),
            one.description, one.tooltip, group=PLAY, player=one.action,
        )
        for one in player
        if isinstance(one, Binding)
    )  # fmt: skip
    return rekeyed((*ACTIONS, *plays), keys)
