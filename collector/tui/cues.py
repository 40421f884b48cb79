"""Which sound, and which words, answer what a session tells."""

from __future__ import annotations

from typing import Any

from collector.session.account import Account
from collector.session.state import State

# A state that was just entered, where no other message says more.
_ENTERED = {
    State.RECORDING: ("begin", "recording"),
    State.PRACTISING: ("begin", "practice"),
    State.PAUSED: ("pause", "paused"),
    State.HALTED: ("halt", "halted"),
    State.STOPPING: ("stop", "ending"),
    State.FAULT: ("fail", "a fault"),
}
_SIMPLE = {
    "gone": ("gone", "a device is gone"),
    "back": ("back", "it is back"),
    "clutch": ("clutch", ""),
    "took_over": ("take_over", ""),
    "take_back": ("take_back", "taken back"),
    "bring_back": ("bring_back", "kept again"),
    "saved": ("saved", ""),
    "error": ("fail", ""),
    "done": ("finished", ""),
}


def cue_of(message: dict[str, Any], account: Account) -> tuple[str, str] | None:
    """Return the event whose sound answers a message, and the words that are spoken; None: it stays silent."""
    kind = message["kind"]
    if kind == "state":
        return _ENTERED.get(State(message["state"]))
    if kind == "refused":
        return "refused", f"refused: {message['why']}"
    if kind == "flown":
        if message["discard"]:
            return "discard", "thrown away"
        outcome: dict[bool | None, tuple[str, str]] = {
            True: ("succeed", "success"),
            False: ("miss", "failure"),
        }
        return outcome.get(message.get("success"), ("end", "saved"))
    if kind == "marked":
        return ("succeed", "marked as a success") if message["success"] else ("miss", "marked as a failure")
    if kind in ("camera", "motor"):
        return "camera", message["words"]
    if kind == "verdict" and message["mark"] != "good":
        return f"verdict_{message['mark']}", message["reasons"][0]["words"]
    return _SIMPLE.get(kind)
