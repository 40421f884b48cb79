"""What the session is doing, in one word and colour that are understood from across the room."""

from __future__ import annotations

from dataclasses import dataclass

from collector.session.account import Account
from collector.session.state import State

_PATIENCE_S = 3000.0  # left of a time to put the scene back that is no limit to a person


@dataclass(frozen=True)
class Headline:
    """The session in a word.

    Attributes:
        word: The word.
        look: Name of its colours, a class of the stylesheet.
        detail: What the person is to do or to wait for.
    """

    word: str
    look: str
    detail: str = ""


def headline(account: Account, now_s: float) -> Headline:
    """Return the headline of a session.

    Args:
        now_s: Of `time.monotonic()`.
    """
    if account.errors:
        return Headline("FAULT", "fault", "ending: what was flown is being saved")
    if account.closed is not None:
        return Headline("DONE", "saving", "everything is saved")
    if not account.flying:
        return Headline("STARTING", "ready", "connecting robot, teleoperator and cameras")
    if account.state is State.READY:
        if account.reset_until_s is not None:
            left_s = max(0.0, account.reset_until_s - now_s)
            what = account.briefing or "put the scene back"
            within = f"{left_s:.0f} s, or " if left_s < _PATIENCE_S else ""
            return Headline("RESET", "ready", f"{what}: {within}go on when it is ready")
        return Headline("READY", "ready", "the next flight begins")
    if account.enough and account.state is State.PAUSED:
        return Headline(
            "COMPLETE", "saving", "all flights are flown: go on to end, or take the last one back"
        )
    if account.briefing and account.state is State.PAUSED:
        return Headline("PAUSED", "paused", f"{account.briefing}: go on when it is ready")
    return _BY_STATE[account.state]


_BY_STATE = {
    State.RECORDING: Headline("RECORDING", "recording"),
    State.PRACTISING: Headline("PRACTICE", "practice", "nothing is recorded"),
    State.PAUSED: Headline("PAUSED", "paused", "go on when you are ready"),
    State.HALTED: Headline("HALTED", "fault", "the robot is held where it is; going on frees it"),
    State.WAITING: Headline("NO DEVICE", "waiting", "a device is gone: plug it in again; the robot is held"),
    State.STOPPING: Headline("SAVING", "saving", "ending: everything flown is being saved"),
    State.FAULT: Headline("FAULT", "fault", "ending: what was flown is being saved"),
    State.DONE: Headline("DONE", "saving", "everything is saved"),
}
