"""The same faults on demodeck and on `lerobot-record`, and what is left of the episodes and the arm."""

from __future__ import annotations

import dataclasses
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rigs import commands
from rigs.faults import ALL_FAULTS, SAVED, SURVIVABLE_FAULTS, TAKE_TICKS, Fault, Outcome, inflict
from rigs.plain_lerobot import Reader, reader

from recorder_bench import table

QUICK = ["kill -9 control, in flight", "SIGTERM in flight"]


def measure(folder: Path, names: list[str] | None, jobs: int, streaming: bool) -> None:
    """Print the table, and the sums."""
    faults = {**ALL_FAULTS, **SURVIVABLE_FAULTS}
    chosen = {name: faults[name] for name in names or faults}
    table.heading(
        "Faults",
        f"{SAVED} takes of 1 s are saved, then a fault strikes in (or after) the next. demodeck with its own settings, "
        "then `demodeck recover`; lerobot-record with its defaults (libsvtav1, "
        f"{'streaming_encoding=true' if streaming else 'batch encoding'}). Saved: takes that "
        "plain lerobot reads whole, every row and picture. Next take: ticks read of the one in which the fault "
        "struck, and flown time before the fault that is missing. Arm: held (last action is its measured "
        "position), let go (disconnect called, nothing asked afterwards), alone (its process was killed).",
    )
    table.head(
        "fault", "demodeck: saved", "next take", "arm", "exit", "lerobot: saved", "next take", "arm", "exit"
    )
    peer_flags = {"dataset.streaming_encoding": "true"} if streaming else {}
    jobs_of = []
    with reader(commands.environment(folder / "home")) as lerobot, ThreadPoolExecutor(jobs) as pool:
        try:
            for i, (name, fault) in enumerate(chosen.items()):
                places = [folder / f"fault-{i}-{recorder}" for recorder in ("demodeck", "lerobot")]
                ours = pool.submit(_inflict, fault, "demodeck", places[0], lerobot, {})
                # lerobot is one process: what kills any of ours kills that, so once is enough.
                same = fault.target == "recorder" or (fault.target == "screen" and "kill" in name)
                single = dataclasses.replace(fault, target="control") if "kill" in name else fault
                theirs = (
                    None if same else pool.submit(_inflict, single, "lerobot", places[1], lerobot, peer_flags)
                )
                jobs_of.append((name, fault, single, ours, theirs))
            sums = [[0, 0, 0, 0], [0, 0, 0, 0]]
            for name, fault, single, ours, theirs in jobs_of:
                cells = _cells(ours.result(), fault, sums[0])
                cells += _cells(theirs.result(), single, sums[1]) if theirs else ["one process", "", "", ""]
                table.row(name, *cells)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            commands.kill_all()
            raise
    for name, (cases, saved, next_takes, safe) in zip(("demodeck", "lerobot-record"), sums):
        print(
            f"\n{name}, {cases} cases: {saved} of {SAVED * cases} saved episodes left, {next_takes} of {cases} "
            f"interrupted takes, arm left safe in {safe}"
        )


def _inflict(
    fault: Fault, recorder: str, folder: Path, lerobot: Reader, flags: dict[str, str]
) -> Outcome | str:
    folder.mkdir()
    try:
        return inflict(fault, recorder, folder, lerobot, flags)
    except Exception as error:
        return f"not measured: {error}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _cells(outcome: Outcome | str, fault: Fault, sums: list[int]) -> list[object]:
    if isinstance(outcome, str):
        return [outcome, "", "", ""]
    sums[0] += 1
    sums[1] += outcome.saved
    sums[2] += outcome.lost_s is not None
    sums[3] += outcome.left_safe(fault)
    if outcome.lost_s is None:
        taken = "lost"
    elif outcome.partial_ticks == TAKE_TICKS:
        taken = "whole"
    else:
        taken = f"{outcome.partial_ticks} ticks, {outcome.lost_s:.2f} s missing"
    if fault.kills_control:
        arm = "asked again" if outcome.acted_on else "alone"
    else:
        arm = ", ".join(
            [*(["held"] if outcome.held else []), "let go" if outcome.disconnected else "left powered"]
        )
    return [f"{outcome.saved} of {SAVED}", taken, arm, outcome.exit_code]
