"""What a person at the terminal can ask a session for: one list, from which keys, help and palette are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from collector.errors import UsageError
from collector.keymap import rekeyed
from collector.session.state import Event, State, step


@dataclass(frozen=True)
class Action:
    """One thing to ask for.

    Attributes:
        event: What it asks the session for.
        keys: Which keys ask for it, named as `keystream` names them; the first is the one that is shown.
        title: In a word or two, for a line of keys.
        help: In a sentence.
        recording: Whether it is of use only where flights are recorded.
        numbered: Whether digits typed before it name an episode.
    """

    event: Event
    keys: tuple[str, ...]
    title: str
    help: str
    recording: bool = False
    numbered: bool = False

    @property
    def name(self) -> str:
        """As it is called in flags and files."""
        return self.event.value


ACTIONS = (
    Action(
        Event.END, ("right", "n", "enter"), "save/go on", "End and save the flight; between flights: go on"
    ),
    Action(
        Event.SUCCEED,
        ("+",),
        "success",
        "Save the flight as a success; between flights: mark the last one",
        True,
    ),
    Action(
        Event.MISS,
        ("-",),
        "failure",
        "Save the flight as a failure; between flights: mark the last one",
        True,
    ),
    Action(Event.DISCARD, ("left", "r"), "again", "Throw the flight away and fly it again", True),
    Action(
        Event.TAKE_BACK, ("u",), "take back", "Take the last saved flight back (5u: episode 5)", True, True
    ),
    Action(
        Event.BRING_BACK, ("b",), "bring back", "Bring back what was taken back (5b: episode 5)", True, True
    ),
    Action(Event.PAUSE, ("p",), "pause", "Save the flight and pause, or go on"),
    Action(Event.PRACTISE, ("m",), "practise", "Fly without recording, until the flight is ended", True),
    Action(
        Event.CLUTCH, ("c",), "clutch", "Hold the robot while the leader is moved, or let it follow again"
    ),
    Action(Event.TAKE_OVER, ("o",), "take over", "Take over from a policy, or hand back (--takeover.type)"),
    Action(Event.HALT, ("space", "f13"), "STOP", "EMERGENCY STOP: the robot is held where it is"),
    Action(Event.STOP, ("q", "escape"), "end", "Save what is flown and end the session"),
)


def with_keys(keys: Mapping[str, str | list[str]]) -> tuple[Action, ...]:
    """Return the actions with other keys.

    Args:
        keys: Key, or list of keys, by the name of the action.

    Raises:
        UsageError: If there is no such action, or a key would mean two things.
    """
    actions = rekeyed(ACTIONS, keys, lambda key: "digits name an episode" if key.isdigit() else None)
    if not next(action for action in actions if action.event is Event.HALT).keys:
        raise UsageError("--keys leaves no key for 'halt', the emergency stop")
    return actions


def possible(action: Action, state: State) -> bool:
    """Return whether the session would take the action now."""
    return step(state, action.event).refused is None


def help_lines(actions: tuple[Action, ...], recording: bool) -> str:
    """Return the keys of a plain terminal, one line an action."""
    lines = [
        f"{' or '.join(action.keys)}: {action.help}"
        for action in actions
        if action.keys and (recording or not action.recording)
    ]
    return "keys: " + "\n      ".join(lines)
