"""The collector's verbs: record, rollout, recover, devices, doctor. Thin over `collector.session`."""

from __future__ import annotations

import contextlib
import gc
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.errors import DataError, UsageError
from collector.flags import PlainParser

if TYPE_CHECKING:
    from collector.dataset.salvage import Salvaged
    from collector.session.doctor import Finding
    from collector.session.process import Processes


def main_record(args: list[str]) -> int:
    """`demodeck record`: fly a robot and record the flights."""
    if "--help" in args or "-h" in args:
        from collector.session.control import parse_record_flags

        parse_record_flags(args)
    from collector.session.attach import sessions
    from collector.session.process import attach_session, run_session

    for session in sessions():
        if _wants_to_attach(session):
            return attach_session(session, _cockpit)
    return run_session(args, cockpit=_cockpit)


def _wants_to_attach(session: dict[str, Any]) -> bool:
    """Ask, where a person can answer, whether to go on with a session instead of beginning another."""
    print(f"a session goes on: {session['what']}; 'demodeck attach' shows it", file=sys.stderr)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print("attach to it instead of beginning another? [Y/n] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")


def main_attach(args: list[str]) -> int:
    """`demodeck attach`: show a session that goes on, as when its terminal was lost."""
    parser = PlainParser(
        prog="demodeck attach",
        description="Show a session that goes on, when its terminal was lost: the robot is held meanwhile.",
    )
    parser.add_argument("name", nargs="?", help="of the session (default: the latest)")
    parser.add_argument(
        "--list", action="store_true", help="list the sessions that go on, and attach to none"
    )
    parser.add_argument("--json", action="store_true", help="with --list: as JSON")
    given = parser.parse_args(args)
    from collector.session.attach import sessions
    from collector.session.process import attach_session

    found = [one for one in sessions() if given.name in (None, one["name"])]
    if given.list:
        shown = [{"name": one["name"], "what": one["what"]} for one in found]
        print(
            json.dumps(shown) if given.json else "\n".join(f"{one['name']}  {one['what']}" for one in shown)
        )
        return 0
    if not found:
        raise UsageError("no session goes on" + (f" that is called '{given.name}'" if given.name else ""))
    return attach_session(found[-1], _cockpit)


def _cockpit(processes: Processes) -> None:
    from collector.tui.app import run_cockpit

    run_cockpit(processes)


def main_teleop(args: list[str]) -> int:
    """`demodeck teleop`: fly a robot without recording."""
    if "--help" in args or "-h" in args:
        from collector.session.control import parse_teleop_flags

        parse_teleop_flags(args)
    from collector.session.process import run_session

    return run_session(args, record=False, cockpit=_cockpit)


# lerobot-replay's flags, in the words of a session that flies a recording.
_REPLAY_FLAGS = {
    "--dataset.repo_id": "--teleop.path",
    "--dataset.root": "--teleop.path",
    "--dataset.episode": "--teleop.episode",
    "--dataset.fps": "--fps",
}


def main_replay(args: list[str]) -> int:
    """`demodeck replay`: fly a recorded episode again; flags as `lerobot-replay`'s."""
    if "--help" in args or "-h" in args:
        print(
            "usage: demodeck replay --robot.type=NAME --dataset.repo_id=NAME --dataset.episode=N\n"
            "                       (or --dataset.root=FOLDER)\n"
            "Flies the episode's actions again, at the recording's own rate and behind the safety of any flight; a\n"
            "simulated robot is brought into the recorded scene first. Every flag of 'demodeck teleop' works too."
        )
        return 0
    given = dict(arg.partition("=")[::2] for arg in args)
    path = given.get("--dataset.root") or given.get("--dataset.repo_id")
    if path is None:
        raise UsageError("which recording? give --dataset.repo_id=NAME or --dataset.root=FOLDER")
    flags = {_REPLAY_FLAGS.get(flag, flag): value for flag, value in given.items() if flag != "--play_sounds"}
    flags["--teleop.path"] = path
    if "--fps" not in flags:
        from collector.dataset.locate import locate
        from collector.dataset.tables import read_info

        with contextlib.suppress(
            DataError
        ):  # it is on the Hub alone: the pilot fetches it, and checks the rate
            flags["--fps"] = str(read_info(locate(path))["fps"])
    from collector.session.process import run_session

    command = [
        "--teleop.type=replay",
        *(f"{flag}={value}" if value else flag for flag, value in flags.items()),
    ]
    return run_session(command, record=False, cockpit=_cockpit)


def main_rollout(args: list[str]) -> int:
    """`demodeck rollout`: let a policy fly, and a person take over; flags as `lerobot-rollout`'s."""
    from collector.session.rollout import USAGE, session_flags

    if "--help" in args or "-h" in args:
        print(USAGE)
        return 0
    flags, records = session_flags(args)
    from collector.session.process import run_session

    return run_session(flags, record=records, cockpit=_cockpit)


def main_recover(args: list[str]) -> int:
    """`demodeck recover DATASET`: salvage what a crash of lerobot broke, save flights that a crash interrupted."""
    parser = PlainParser(
        prog="demodeck recover",
        description="Salvage a dataset that a crash of lerobot's recorder left broken; the original is kept beside "
        "it. Save flights that a crash interrupted.",
    )
    parser.add_argument("dataset", help="folder or name of the dataset")
    parser.add_argument("--json", action="store_true", help="print the episodes as JSON")
    given = parser.parse_args(args)
    from collector.dataset.journal import list_journals
    from collector.dataset.locate import locate
    from collector.session.recovery import recover

    # Where a crash came before the first save there are flights, and no dataset yet.
    root = Path(given.dataset) if list_journals(Path(given.dataset)) else locate(given.dataset)
    report: dict[str, Any] = {"root": str(root), "recovered": [], "salvaged": None}

    def tell(words: str, salvaged: Salvaged | None) -> None:
        print(words, file=sys.stderr)
        if salvaged is not None:
            report["salvaged"] = {**vars(salvaged), "backup": str(salvaged.backup)}

    episodes = recover(root, tell)
    if given.json:
        print(json.dumps({**report, "recovered": episodes}))
    elif episodes:
        print(
            f"saved {len(episodes)} interrupted flight(s) as episode(s) {episodes} of {root}", file=sys.stderr
        )
    elif report["salvaged"] is None:
        print(f"nothing to recover in {root}", file=sys.stderr)
    return 0


def main_devices(args: list[str]) -> int:
    """`demodeck devices`: list what is plugged in and what it can do; `demodeck devices pad` shows one live."""
    if args[:1] == ["pad"]:
        return _show_pad(args[1:])
    parser = PlainParser(
        prog="demodeck devices",
        description="List serial ports with the arms on them, pads, cameras and keyboards, each with the flags that "
        "use it. Nothing moves. 'demodeck devices pad' shows a pad live.",
    )
    parser.add_argument(
        "--port", action="append", default=[], help="also ask this serial port; may be repeated"
    )
    parser.add_argument(
        "--camera", action="append", default=[], help="also try this camera (address, index, video)"
    )
    parser.add_argument("--pictures", type=Path, help="folder for one picture of each camera")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    given = parser.parse_args(args)
    from collector.session.inventory.report import take_inventory

    found = take_inventory(given.port, given.camera, given.pictures)
    print(json.dumps(found.as_json()) if given.json else found.as_text())
    return 0


def _show_pad(args: list[str]) -> int:
    parser = PlainParser(
        prog="demodeck devices pad", description="Show a pad live: its controls and what each does."
    )
    parser.add_argument("--device", default="", help="number, GUID or part of the name (default: the first)")
    parser.add_argument("--mapping", default="", help="mapping file (default: the one that ships)")
    parser.add_argument(
        "--show-mapping", action="store_true", help="print the mapping that ships, to copy and edit"
    )
    parser.add_argument("--mode", default="ee", help="whose axes are named: ee, joint or plane (default: ee)")
    parser.add_argument("--seconds", type=float, help="how long (default: until Ctrl-C)")
    parser.add_argument("--once", action="store_true", help="look once")
    parser.add_argument("--json", action="store_true", help="print each look as JSON")
    given = parser.parse_args(args)
    if given.show_mapping:
        from collector.teleoperators.pad.mapping import DEFAULT

        print(DEFAULT.read_text(), end="")
        return 0
    from collector.teleoperators.pad.show import show

    return show(
        given.device, given.mapping, mode=given.mode, seconds=given.seconds, once=given.once, json=given.json
    )


def main_doctor(args: list[str]) -> int:
    """`demodeck doctor`: check this machine, or a whole rig; exit code 4 where something needed is missing."""
    parser = PlainParser(
        prog="demodeck doctor",
        description="Check graphics, encoders, devices and disk of this machine. With the flags of 'demodeck record' "
        "(--config_path rig.yaml, or --robot.type=... --teleop.type=...) check that rig, without moving it.",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument(
        "--encoders", action="store_true", help="measure the video encoders instead, and say which is taken"
    )
    parser.add_argument("--cameras", help="with --encoders: cameras' sizes (default: 640x480,640x480)")
    parser.add_argument("--fps", type=float, help="with --encoders: pictures a second (default: 30)")
    if "--help" not in args and "-h" not in args and _names_a_rig(args):
        return _check_rig(args)
    given = parser.parse_args(args)
    from collector.session.doctor import examine, examine_encoders, parse_cameras

    if given.encoders:
        fps = 30.0 if given.fps is None else given.fps
        if not 0 < fps <= 1000:
            parser.error(f"--fps={fps:g}: must be above 0 and at most 1000")
        report = examine_encoders(parse_cameras(given.cameras or "640x480,640x480"), fps)
        print(json.dumps(report.as_json()) if given.json else report.as_table())
        return 0
    if given.cameras is not None or given.fps is not None:
        parser.error("--cameras and --fps say what to measure encoders with: add --encoders")
    findings = examine()
    if given.json:
        print(json.dumps([vars(finding) for finding in findings]))
    else:
        for finding in findings:
            _print_finding(finding)
    return _verdict(findings)


def _names_a_rig(args: list[str]) -> bool:
    """Return whether `args` have flags of a rig: a config file, or dotted ones."""
    return any(arg.startswith("--config_path") or "." in arg.partition("=")[0] for arg in args)


def _check_rig(args: list[str]) -> int:
    """Check the rig that the flags describe; findings are printed as they come."""
    as_json = "--json" in args or "--json=true" in args
    flags = [arg for arg in args if not arg.startswith("--json")]
    if "--encoders" in flags:
        raise UsageError("--encoders measures this machine: leave the rig's flags out")
    gc.disable()  # what is loaded is no garbage, and to look for some takes a fifth of the whole check
    from collector.session.rig_check import examine_rig

    findings = examine_rig(flags, (lambda finding: None) if as_json else _print_finding)
    if as_json:
        print(json.dumps([vars(finding) for finding in findings]))
    gc.freeze()
    return _verdict(findings)


def _print_finding(finding: Finding) -> None:
    print(f"{'ok  ' if finding.ok else 'FAIL'} {finding.what}: {finding.seen}", flush=True)


def _verdict(findings: list[Finding]) -> int:
    return 0 if all(finding.ok or not finding.needed for finding in findings) else 4
