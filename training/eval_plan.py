"""What `demodeck eval` is to fly: its flags, checked against the robot, the pilot and the evaluation to beat."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lerobot.robots.config import RobotConfig
from lerobot.teleoperators.config import TeleoperatorConfig

from collector.errors import UsageError
from training.flights import Flown
from training.rival import Rival, load_rival

DEFAULT_FPS, DEFAULT_EPISODES, DEFAULT_SEED = 30, 100, 5000
FILMED = ("failures", "all")
_FILM_PX = 384  # a video is at least so wide or high where no pilot sees it


@dataclass
class PolicyFlags:
    """Short for `--teleop.type=policy --teleop.path=...`."""

    # Folder of a checkpoint, or name on the Hub
    path: str | None = None
    # Tag, branch or commit on the Hub
    revision: str | None = None
    # Device that runs the network
    device: str | None = None
    # Actions flown of each predicted chunk; default: as trained
    n_action_steps: int | None = None
    # Settings of the policy given anew, such as '{sampler: ddim, num_inference_steps: 2}'
    settings: dict[str, Any] = field(default_factory=dict)
    # What to do, in words, where it was trained on several tasks (default: the task that the simulation judges)
    task: str = ""
    # When the network thinks: sync (the robot waits) or rtc (beside the flight of the chunk before)
    inference: str = "sync"
    # With rtc: ticks from looking to flying what was predicted; in lock-step none unless given
    inference_delay: int | None = None
    # Packages that register policies beyond lerobot's own
    packages: list[str] = field(default_factory=lambda: ["training.policies"])


@dataclass
class EvalConfig:
    """Settings of one evaluation."""

    robot: RobotConfig | None = None
    # The pilot to measure, such as scripted or hold; or give a policy
    teleop: TeleoperatorConfig | None = None
    policy: PolicyFlags = field(default_factory=PolicyFlags)
    # Flights (default: 100; with --against at most as many as it flew)
    episodes: int | None = None
    # First seed; the others follow it one by one (default: 5000; with --against its seeds are flown)
    seed: int | None = None
    # Control rate [Hz] (default: the one that the policy was trained at, else that of --against, else 30)
    fps: int | None = None
    # A flight ends as a failure after this time [s] (default: that of --against, else the task's limit)
    time_limit_s: float | None = None
    # Processes that fly at once; 0 takes one a core
    workers: int = 0
    # Name in comparisons (default: the policy's or pilot's type)
    name: str | None = None
    # Write the result here as JSON
    output: Path | None = None
    # Print the result as JSON
    json: bool = False
    # What `demodeck eval --output` wrote for another pilot: fly its seeds, in its order, and stop as soon as
    # it is decided which of the two is better. Rates are biased then; the interval and p that are shown hold
    # all the same
    against: Path | None = None
    # With --against: the risk allowed of deciding where the two do not differ
    alpha: float = 0.05
    # Afterwards fly some of the seeds once more before a camera, and write the videos into this folder
    videos: Path | None = None
    # With --videos: which flights, failures or all
    videos_of: str = "failures"
    # With --videos: how many at most, in the order flown
    n_videos: int = 3


@dataclass(frozen=True)
class EvalPlan:
    """An evaluation that can be flown.

    Attributes:
        name: Name in comparisons.
        policy: The policy's `path`, `commit` and `type`; None for other pilots.
        flown: What each worker flies, without the cameras that the pilot does not see.
        filmed: The same with cameras, for videos; None where there are none.
        limit_s: How long a flight may take [s], by flag or by task.
        seeds: The seeds, in the order to fly.
        workers: Processes that fly at once.
        rival: The evaluation to beat, or None.
        alpha: See `EvalConfig`.
    """

    name: str
    policy: dict[str, Any] | None
    flown: Flown
    filmed: Flown | None
    limit_s: float
    seeds: list[int]
    workers: int
    rival: Rival | None
    alpha: float


def make_plan(config: EvalConfig) -> EvalPlan:
    """Make robot and pilot, check that all fits, and return what is to be flown.

    Raises:
        UsageError: If a flag is missing or wrong.
        DataError: If the policy's checkpoint, or the evaluation to beat, is missing or damaged.
        HubError: If the Hub cannot give the policy.
        MismatchError: If the policy and the robot, or the evaluation to beat and this one, do not fit.
        DeviceError: If the robot or the pilot cannot be made.
        OSError: If the folder for videos cannot be made.
    """
    from collector.robots.protocols import Simulated
    from collector.session.devices import make_pilot, make_robot
    from collector.teleoperators.protocols import Fitting

    _validate(config)
    rival = None if config.against is None else load_rival(config.against)
    pilot_config = _pilot_config(config)
    pilot = make_pilot(pilot_config)
    seen = list(getattr(pilot, "cameras", []))
    robot_config = _without_unseen_cameras(config.robot, seen)
    robot = make_robot(robot_config)
    if not isinstance(robot, Simulated):
        raise UsageError(
            f"--robot.type={robot_config.type} is no simulation, which could be flown from seeds: on a real robot a "
            "person judges, 'demodeck eval --policies=[PATH,PATH] --robot.type=... --output=DIR'"
        )
    if isinstance(pilot, Fitting):
        pilot.fit_to(robot)
    fps = config.fps or _trained_fps(pilot) or (rival.fps if rival else DEFAULT_FPS)
    time_limit_s = config.time_limit_s or (rival.time_limit_s if rival else None)
    limit_s = time_limit_s or robot.task.time_limit_s
    if rival is not None:
        rival.check_fit(robot_config.type, fps, limit_s)
    policy = _policy_of(pilot_config, pilot)
    if policy is not None:
        # The workers load what was checked here, and ask no network.
        pilot_config = dataclasses.replace(pilot_config, path=str(pilot.checkpoint.folder), revision=None)
    flown = Flown(robot_config, pilot_config, fps, time_limit_s)
    filmed = None
    if config.videos is not None:
        filmed = dataclasses.replace(flown, robot=_with_cameras(config.robot, seen))
        config.videos.mkdir(parents=True, exist_ok=True)
    seeds = _seeds(config, rival)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return EvalPlan(
        name=config.name or (policy["type"] if policy else pilot_config.type),
        policy=policy,
        flown=flown,
        filmed=filmed,
        limit_s=limit_s,
        seeds=seeds,
        workers=min(config.workers or cores, len(seeds)),
        rival=rival,
        alpha=config.alpha,
    )


def _validate(config: EvalConfig) -> None:
    if config.robot is None:
        raise UsageError("--robot.type is missing: give --robot.type=sim_so101 (or sim_pusht)")
    if (config.teleop is None) == (config.policy.path is None):
        raise UsageError("one pilot, please: give --policy.path=PATH, or --teleop.type=scripted (or hold)")
    for name, least in (("episodes", 1), ("seed", 0), ("workers", 0), ("n_videos", 1)):
        value = getattr(config, name)
        if value is not None and value < least:
            raise UsageError(f"--{name}={value}: it must be at least {least}")
    if config.fps is not None and not 1 <= config.fps <= 1000:
        raise UsageError(f"--fps={config.fps}: it must be between 1 and 1000")
    if config.time_limit_s is not None and not config.time_limit_s > 0:
        raise UsageError(f"--time_limit_s={config.time_limit_s}: it must be more than 0")
    if not 0 < config.alpha < 1:
        raise UsageError(f"--alpha={config.alpha}: it must be between 0 and 1, such as 0.05")
    if config.against is not None and config.seed is not None:
        raise UsageError(
            f"--seed={config.seed} and --against: the seeds are those of {config.against}: leave --seed out"
        )
    if config.against and config.output and config.against.resolve() == config.output.resolve():
        raise UsageError(f"--output={config.output} would overwrite --against: give it another name")
    if config.videos_of not in FILMED:
        raise UsageError(f"--videos_of={config.videos_of}: choose {' or '.join(FILMED)}")
    if config.videos is not None and not getattr(config.robot, "cameras", None):
        raise UsageError("--videos needs a camera: leave --robot.cameras out, or name one")


def _seeds(config: EvalConfig, rival: Rival | None) -> list[int]:
    if rival is not None:
        return list(rival.outcomes)[: config.episodes]
    first = DEFAULT_SEED if config.seed is None else config.seed
    return list(range(first, first + (config.episodes or DEFAULT_EPISODES)))


def _policy_of(pilot_config: Any, pilot: Any) -> dict[str, Any] | None:
    if pilot_config.type != "policy":
        return None
    described = {
        "path": pilot_config.path,
        "commit": pilot.checkpoint.commit,
        "type": pilot.checkpoint.settings.get("type"),
    }
    if pilot_config.inference != "sync":
        described |= {"inference": pilot_config.inference, "inference_delay": pilot_config.inference_delay}
    if pilot_config.task:
        described["task"] = pilot_config.task
    return described | ({"settings": pilot_config.settings} if pilot_config.settings else {})


def _pilot_config(config: EvalConfig) -> Any:
    if config.policy.path is None:
        return config.teleop
    from collector.teleoperators.policy import PolicyConfig

    return PolicyConfig(**vars(config.policy))


def _without_unseen_cameras(robot_config: Any, seen: list[str]) -> Any:
    """Return the robot's config with the cameras that the pilot looks at: drawing costs most of a tick."""
    if not isinstance(getattr(robot_config, "cameras", None), list):
        return robot_config
    return dataclasses.replace(robot_config, cameras=[name for name in robot_config.cameras if name in seen])


def _with_cameras(robot_config: Any, seen: list[str]) -> Any:
    """Return the robot's config for videos: pictures that no pilot sees may be larger than a network takes them."""
    size = max(getattr(robot_config, "width", _FILM_PX), getattr(robot_config, "height", _FILM_PX))
    if seen or size >= _FILM_PX:
        return robot_config
    times = -(-_FILM_PX // size)
    return dataclasses.replace(
        robot_config, width=robot_config.width * times, height=robot_config.height * times
    )


def _trained_fps(pilot: Any) -> int | None:
    """Return the rate that a pilot must be flown at [Hz], or None where it flies at any."""
    if not hasattr(pilot, "fps"):
        return None
    if pilot.fps is None:
        raise UsageError("the checkpoint does not say at which rate it was trained: give it as --fps=")
    return pilot.fps
