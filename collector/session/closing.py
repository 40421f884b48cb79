"""The end of a session: what was flown in a summary, pushed where that is wanted."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.session.account import Account


def close(account: Account, say: Callable[[str], None], stopped_by: int | None) -> int:
    """Say what was flown, push it where that is wanted, and return the exit code.

    Args:
        stopped_by: The signal that ended the session; None: it ended by itself.

    Raises:
        DemodeckError: If it cannot be pushed.
    """
    if "root" in account.flying:
        say(in_words(account))
        if account.config["push"] and account.saved and stopped_by is None:
            _push(account, say)
    if account.config["json"]:
        print(json.dumps(summary(account)))
    if stopped_by is None or ("root" not in account.flying and stopped_by == signal.SIGINT):
        return 0
    return 128 + stopped_by


def in_words(account: Account) -> str:
    """Return what was recorded, and what to do next."""
    taken_back = f" ({_taken_back(account)} taken back)" if _taken_back(account) else ""
    root = account.flying["root"]
    return (
        f"{len(account.saved)} flights{taken_back}, {account.frames} frames, "
        f"{_successful(account)} successful, in {time.monotonic() - account.began_s:.0f} s: {root}\n"
        f"next: demodeck score {root}"
    )


def summary(account: Account) -> dict[str, Any]:
    """Return what was flown, for machines."""
    flown = {"lateness_ms": account.lateness, "clipped": dict(account.clipped)}
    if "root" not in account.flying:
        return {"ticks": account.ticks, **flown}
    return {
        "root": account.flying["root"],
        "episodes": len(account.saved),
        "taken_back": _taken_back(account),
        "frames": account.frames,
        "successful": _successful(account),
        "missed_ticks": sum(message["missed_ticks"] for message in account.saved.values()),
        "camera_faults": sum(message["camera_faults"] for message in account.saved.values()),
        **flown,
    }


def _taken_back(account: Account) -> int:
    return 0 if account.closed is None else account.closed["taken_back"]


def _successful(account: Account) -> int:
    return sum(success is True for success in account.successes.values())


def _push(account: Account, say: Callable[[str], None]) -> None:
    import huggingface_hub

    from collector.hub.mirror import push_mirror

    if not huggingface_hub.get_token() and "HF_ENDPOINT" not in os.environ:
        say("not pushed: no Hub account is set up (HF_TOKEN); 'demodeck publish' pushes it later")
        return
    config = account.config
    root = Path(account.flying["root"])
    pushed = push_mirror(root, config["repo_id"], message="Record", tag="v3.0", private=config["private"])
    say(f"pushed: {pushed.url}")
