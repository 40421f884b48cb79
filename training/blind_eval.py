"""`demodeck eval --policies=[A,B]`: policies on a real robot, judged by a person who does not know which one flies.

    DIR/blind.json        the policies, and the secret that their order is drawn from
    DIR/flights/          every flight, recorded as by 'demodeck record', with the outcome that the person gave it
    DIR/<name>.json       an evaluation for each policy, as 'demodeck eval --output' writes it; its seeds are the scenes

The flights are a session of `demodeck record` with the pilot `blind`, so that screen, keys, safety and recovery are
those of any session.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lerobot.robots.config import RobotConfig

from collector.dataset.durable import make_folder, write_json
from collector.dataset.reader import Dataset
from collector.dataset.select import episode_view
from collector.errors import DataError, UsageError
from collector.flags import parse_flags
from training.arguments import joined, say

RECORD, FLIGHTS = "blind.json", "flights"
DEFAULT_SCENES = 20
NO_LIMIT_S = 86400  # a day: the person says when the scene is ready
USAGE = """\
usage: demodeck eval --policies=[PATH,PATH] --robot.type=NAME --output=DIR [--names=[A,B]] [--episodes=SCENES]
                     [flags of 'demodeck record']

Compare policies on a real robot. Each scene is flown by every policy, in an order that is drawn anew for each scene and
not shown; the person places the scene, and ends each flight as a success or a failure with one key (y, x on a pad).
Everything is recorded in DIR/flights; at the end DIR/NAME.json holds an evaluation of each policy, and they are
compared scene by scene. Ctrl-C or q ends it at any time; --resume=true --output=DIR goes on.

  --policies=[PATH,PATH]    folders of checkpoints, or names on the Hub; one alone is measured alone
  --names=[A,B]             how they are called (default: their folders' names)
  --episodes=N              scenes (default: 20)
  --task=TEXT               what they are to do, in the words that they were trained with
  --policy.device=NAME      where the networks run
  --safety.rest=...         a pose in which every flight begins
  --json                    print the comparison as JSON"""

_OWN = ("policies", "names", "episodes", "output", "resume", "task", "policy.device", "json")
_REFUSED = ("teleop.type", "takeover.type", "dataset.root", "dataset.num_episodes", "against", "seed")


@dataclass(frozen=True)
class Trial:
    """A comparison that was set up.

    Attributes:
        paths: Folders of the policies.
        names: Their names.
        commits: Theirs on the Hub; None for folders.
        secret: What the order is drawn from.
    """

    paths: list[str]
    names: list[str]
    commits: list[str | None]
    secret: str


def is_asked_for(args: list[str]) -> bool:
    """Whether a command line of `demodeck eval` asks for a comparison by a person, or to go on with one."""
    given = _given(args)
    return "policies" in given or (
        given.get("resume") == "true" and (Path(given.get("output", "")) / RECORD).is_file()
    )


def blind_eval(args: list[str]) -> int:
    """Fly the flights that are left, then write and print the comparison; returns the session's exit code.

    Raises:
        UsageError: If a flag is wrong.
        DataError: If a policy, or what was recorded before, is damaged.
        HubError: If the Hub cannot give a policy.
        MismatchError: If the policies do not fit each other.
    """
    if "--help" in args or "-h" in args:
        print(USAGE)
        return 0
    given = _given(args)
    if refused := [name for name in _REFUSED if name in given]:
        raise UsageError(
            f"--{refused[0]} cannot be given with --policies: see 'demodeck eval --policies=[] --help'"
        )
    if "output" not in given:
        raise UsageError("--policies: where shall flights and results lie? add --output=DIR")
    folder = Path(given["output"])
    resumes = given.get("resume") == "true"
    n_scenes = _whole_number(given.get("episodes", str(DEFAULT_SCENES)))
    if not resumes:
        _check_real([arg for arg in joined(args) if _name(arg).startswith("robot.")])
    trial = _opened(folder) if resumes else _set_up(folder, given)
    before = outcomes(folder / FLIGHTS, trial)
    left = n_scenes - len(_whole(before, len(trial.paths)))
    code = 0
    if left > 0:
        from collector.cli import main_record

        if resumes and before:
            say(
                "the comparison so far may have been looked at: take its anytime p, which holds all the same",
                "eval",
            )
        passed = [arg for arg in joined(args) if _name(arg) not in _OWN]
        code = main_record([*passed, *_session_flags(folder, trial, given, before, left)])
    results = _results(folder, trial, outcomes(folder / FLIGHTS, trial))
    if len(results) < len(trial.paths):
        say("no scene was flown and judged by every policy: there is nothing to compare yet", "eval")
        return code
    _tell(results, given.get("json") == "true")
    return code


def _given(args: list[str]) -> dict[str, str]:
    given = {_name(arg): arg.partition("=")[2] for arg in joined(args) if arg.startswith("--")}
    return given | {name: "true" for name in ("resume", "json") if given.get(name) == ""}


def _name(arg: str) -> str:
    return arg.partition("=")[0].removeprefix("--")


def _whole_number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--episodes={text}: it is a number of scenes from 1")
    return int(text)


def _listed(name: str, text: str) -> list[str]:
    import yaml

    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        values = None
    values = [values] if isinstance(values, str) else values
    if (
        not isinstance(values, list)
        or not values
        or not all(isinstance(value, str) and value for value in values)
    ):
        raise UsageError(f"--{name}={text}: give them as --{name}=[A,B]")
    return values


@dataclass
class _RobotFlags:
    """Which robot flies."""

    robot: RobotConfig | None = None


def _check_real(flags: list[str]) -> None:
    """Refuse a simulation, which is flown from seeds and judges by itself.

    Raises:
        UsageError: If no robot is named, or a simulated one.
    """
    from collector.robots.protocols import Simulated
    from collector.session.devices import make_robot, register_devices

    config = parse_flags(_RobotFlags, register_devices(flags), "eval").robot
    if config is None:
        raise UsageError("--policies: which robot do they fly? add --robot.type=so101_follower, ...")
    if isinstance(make_robot(config), Simulated):
        raise UsageError(
            f"--robot.type={config.type} is a simulation, which needs no person to judge: fly each policy by "
            "'demodeck eval --policy.path=PATH --output=FILE', and put them side by side by 'demodeck compare'"
        )


def _set_up(folder: Path, given: dict[str, str]) -> Trial:
    """Find the policies, and put the comparison on record."""
    from collector.teleoperators.blind import Blind, BlindConfig

    if folder.exists():
        raise UsageError(
            f"{folder} exists already: choose another --output, or go on with --resume=true --output={folder}"
        )
    asked = _listed("policies", given["policies"])
    names = _listed("names", given["names"]) if "names" in given else _names(asked)
    if len(names) != len(asked) or len(set(names)) < len(names):
        raise UsageError(f"--names: give {len(asked)} different names, one a policy, not {', '.join(names)}")
    if any("/" in name or name.startswith(".") for name in names) or RECORD in [
        f"{name}.json" for name in names
    ]:
        raise UsageError("--names: they become files, so none may hold '/', begin with '.', or be 'blind'")
    pilot = Blind(BlindConfig(paths=asked))
    trial = Trial(
        paths=[str(policy.checkpoint.folder) for policy in pilot.policies],
        names=names,
        commits=[policy.checkpoint.commit for policy in pilot.policies],
        secret=secrets.token_hex(8),
    )
    make_folder(folder)
    write_json(folder / RECORD, asdict(trial))
    return trial


def _names(paths: list[str]) -> list[str]:
    """Return a name for each policy: the last part of its path that tells it from the others."""
    usual = {"", "pretrained_model", "checkpoints", "last"}
    names = [
        [part for part in path.split("/") if part not in usual and not part.isdecimal()] for path in paths
    ]
    last = [parts[-1] if parts else "policy" for parts in names]
    return [
        name if last.count(name) == 1 else f"{name}-{chr(ord('a') + place)}"
        for place, name in enumerate(last)
    ]


def _opened(folder: Path) -> Trial:
    path = folder / RECORD
    try:
        return Trial(**json.loads(path.read_text()))
    except FileNotFoundError:
        raise DataError(f"{folder} holds no comparison to go on with: check --output") from None
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}): start anew in another --output") from None


def _session_flags(
    folder: Path, trial: Trial, given: dict[str, str], before: list[dict[str, Any]], left: int
) -> list[str]:
    """Return the flags of the session that flies the scenes that are left."""
    from collector.teleoperators.policy import Policy, PolicyConfig

    n, root = len(trial.paths), folder / FLIGHTS
    recorded = Dataset.open(root).num_episodes if (root / "meta" / "info.json").is_file() else 0
    # A scene that was left half flown is over: the next one begins with the first policy of its order.
    seed = -(-max((flight["flight"] + 1 for flight in before), default=0) // n) * n
    flags = {
        "teleop.type": "blind",
        "teleop.paths": json.dumps(trial.paths),
        "teleop.secret": trial.secret,
        "dataset.root": str(root),
        "dataset.repo_id": "blind/flights",
        "dataset.push_to_hub": "false",
        "dataset.reset_time_s": str(NO_LIMIT_S),
        "dataset.num_episodes": str(left * n),
        "seed": str(max(0, seed - recorded)),
    }
    if recorded:
        flags["resume"] = "true"
    fps = Policy(PolicyConfig(path=trial.paths[0])).fps
    if fps is not None:
        flags["dataset.fps"] = str(fps)
    if "policy.device" in given:
        flags["teleop.device"] = given["policy.device"]
    if "task" in given:
        flags |= {"teleop.task": given["task"], "dataset.single_task": given["task"]}
    return [f"--{name}={value}" for name, value in flags.items() if name not in given]


def outcomes(root: Path, trial: Trial) -> list[dict[str, Any]]:
    """Return the flights that were judged, in the order flown; of a flight flown twice the later one.

    Returns:
        Of each `flight` (its seed), `scene`, `which` (the policy's place), `success`, `ticks` and `episode`.

    Raises:
        DataError: If what was recorded is damaged.
    """
    from collector.teleoperators.blind import place_of

    if not (root / "meta" / "info.json").is_file():
        return []
    with episode_view(Dataset.open(root)) as connection:
        rows = connection.execute(
            "SELECT episode_index, seed, success, length FROM episodes "
            "WHERE seed IS NOT NULL AND success IS NOT NULL AND NOT coalesce(interrupted, false) "
            "ORDER BY episode_index"
        ).fetchall()
    found = {}
    for episode, seed, success, length in rows:
        scene, which = place_of(seed, len(trial.paths), trial.secret)
        found[seed] = {
            "flight": seed,
            "scene": scene,
            "which": which,
            "success": bool(success),
            "ticks": length,
            "episode": episode,
        }
    return [found[seed] for seed in sorted(found)]


def _whole(flights: list[dict[str, Any]], n_policies: int) -> set[int]:
    """Return the scenes that every policy flew, given the flights of `outcomes`."""
    flown: dict[int, set[int]] = {}
    for flight in flights:
        flown.setdefault(flight["scene"], set()).add(flight["which"])
    return {scene for scene, policies in flown.items() if len(policies) == n_policies}


def _results(folder: Path, trial: Trial, flights: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write an evaluation for each policy, over the scenes that all flew; return them."""
    from training.evaluate import tally
    from training.versions import versions

    scenes = _whole(flights, len(trial.paths))
    if not scenes:
        return []
    dataset = Dataset.open(folder / FLIGHTS)
    results = []
    for which, (name, path, commit) in enumerate(zip(trial.names, trial.paths, trial.commits, strict=True)):
        own = [
            {key: flight[key] for key in ("success", "ticks", "episode")} | {"seed": flight["scene"]}
            for flight in flights
            if flight["which"] == which and flight["scene"] in scenes
        ]
        kind = json.loads((Path(path) / "config.json").read_text()).get("type")
        result = {
            "name": name,
            "pilot": "blind",
            "policy": {"path": path, "commit": commit, "type": kind},
            "robot": dataset.info.get("robot_type"),
            "fps": int(dataset.fps),
            **tally(own, int(dataset.fps)),
            "judged_by": "a person who was not told which policy flew",
            "dataset": str(folder / FLIGHTS),
            "versions": versions(),
        }
        write_json(folder / f"{name}.json", result)
        results.append(result)
    return results


def _tell(results: list[dict[str, Any]], as_json: bool) -> None:
    from training.compare import compare
    from training.compare_tables import tables

    comparison = compare(results)
    if as_json:
        print(json.dumps(comparison, indent=1))
        return
    for warning in comparison["warnings"]:
        say(warning, "eval")
    print(tables(comparison))
