"""The session in a few lines: what was kept, how fast, what went wrong, and what to do next."""

from __future__ import annotations

import time
from collections import Counter

from collector.session.account import Account


def summary_lines(account: Account) -> list[str]:
    """Return the session's summary."""
    seconds = max(1e-6, time.monotonic() - account.began_s)
    if "root" not in account.flying:
        return [f"Flew {account.ticks} ticks in {_duration(seconds)}; nothing was recorded.", "", "q closes"]
    kept = account.kept
    good = sum(account.successes.get(episode) is True for episode in kept)
    bad = sum(account.successes.get(episode) is False for episode in kept)
    flown_s = account.frames / account.flying["fps"]
    lines = [
        f"{len(kept)} episodes kept in {_duration(seconds)}: {3600 * len(kept) / seconds:.0f} an hour",
        f"{good} successes, {bad} failures, {len(kept) - good - bad} not marked; "
        f"{account.discarded} flown again, {len(account.taken_back)} taken back, {len(account.cut)} interrupted",
        f"{_duration(flown_s)} recorded: {flown_s / seconds:.0%} of the session",
        "",
    ]
    marks = Counter(account.verdicts[episode]["mark"] for episode in kept if episode in account.verdicts)
    if marks:
        lines.append(f"verdicts: {marks['good']} good, {marks['look']} to look at, {marks['bad']} bad")
        why = Counter(
            reason["kind"]
            for episode in kept
            for reason in account.verdicts.get(episode, {"reasons": []})["reasons"]
        )
        lines += [f"   {n} x {kind.replace('_', ' ')}" for kind, n in why.most_common(6)]
    missed = sum(message["missed_ticks"] for message in account.saved.values())
    faults = sum(message["camera_faults"] for message in account.saved.values())
    late = max((one["p99"] for one in account.lateness), default=None)
    timing = "" if late is None else f" (p99 of lateness at most {late:.2f} ms)"
    lines.append(f"{missed} late ticks of {account.ticks}{timing}, {faults} camera faults")
    if account.clipped:
        lines.append(
            "safety changed " + ", ".join(f"{n} ticks ({why})" for why, n in account.clipped.most_common())
        )
    root = account.flying["root"]
    lines += ["", f"recorded into {root}", f"next: demodeck score {root}", "", "q closes"]
    return lines


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    )
