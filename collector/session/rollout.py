"""`demodeck rollout`: the flags of lerobot-rollout in the words of a session that a policy flies.

The policy is the session's teleoperator; the person's own is what takes over (`interactive`, which is HG-DAgger: Kelly
et al. 2019, arXiv 1810.02890). What is recorded is as any recording, with the column `intervention`.
"""

from __future__ import annotations

from collector.errors import UsageError

USAGE = """\
usage: demodeck rollout --policy.path=PATH --robot.type=NAME [--strategy=autonomous|interactive]
                        [--teleop.type=NAME] [--dataset.repo_id=NAME] [flags of 'demodeck record']

A policy flies the robot, at the rate that it was trained at (--fps=N: at another). With --dataset.repo_id the flights
are recorded, success and all, as by 'demodeck record'; without it they are not, and --duration=S ends them.

  --policy.path=PATH        folder of a checkpoint, or name on the Hub (--policy.revision, .device, .n_action_steps)
  --task=TEXT               what the policy is to do, in the words that it was trained with
  --strategy=interactive    a person takes over when the policy errs, and hands back (o in a terminal, a on a pad):
                            --teleop.type=so101_leader (pad, keys, ...). Train on it with
                            --dataset.intervention_weight=W and --dataset.policy_weight=0
  --inference.type=rtc      the network thinks beside the flight of the chunk before (real-time chunking), should it
                            take longer than a tick (--inference.delay=TICKS; default: as long as it takes)
  --takeover_after_s=S      a program given as --teleop.type (scripted) takes over by itself so late in a flight

lerobot-rollout's --strategy.type=base, episodic and dagger mean autonomous, autonomous and interactive."""

_STRATEGIES = {
    "autonomous": False,
    "interactive": True,
    "base": False,
    "episodic": False,
    "dagger": True,
}
_REFUSED = {
    "--strategy.type=sentry": "give --dataset.repo_id and --dataset.num_episodes instead",
    "--strategy.type=highlight": "record all flights, and keep some with 'demodeck edit keep'",
}
# Of lerobot-rollout, and true here anyway; a duration of 0 is none.
_SILENT = ("--inference.type=sync", "--strategy.record_autonomous=true", "--duration=0")
_NAMES = {
    "--inference.type": "--teleop.inference",
    "--inference.delay": "--teleop.inference_delay",
    "--task": "--teleop.task",
    "--duration": "--teleop_time_s",
    "--device": "--teleop.device",
    "--strategy.num_episodes": "--dataset.num_episodes",
}


def session_flags(args: list[str]) -> tuple[list[str], bool]:
    """Translate the flags of a rollout.

    Args:
        args: The command line behind the verb.

    Returns:
        The flags of `demodeck record`, or of `demodeck teleop` where nothing is recorded, and whether it is.

    Raises:
        UsageError: If a flag is missing, or asks for what there is not.
        DataError: If the policy's folder holds no policy.
        HubError: If the Hub cannot give it.
    """
    flags = _joined(args)
    for flag in flags:
        if flag in _REFUSED:
            raise UsageError(f"{flag}: {_REFUSED[flag]}")
    given = {name: value for name, _, value in (flag.partition("=") for flag in flags)}
    strategy = given.pop("--strategy", None) or given.pop("--strategy.type", None) or "autonomous"
    if strategy not in _STRATEGIES:
        raise UsageError(f"--strategy={strategy}: choose autonomous or interactive")
    records = "--dataset.repo_id" in given
    interactive = _STRATEGIES[strategy]
    if not given.get("--policy.path"):
        raise UsageError("which policy? give --policy.path=FOLDER, or its name on the Hub")
    if interactive and "--teleop.type" not in given:
        raise UsageError(
            "--strategy=interactive: by what does a person take over? add --teleop.type=so101_leader (pad, keys, ...)"
        )
    if not interactive and "--teleop.type" in given:
        raise UsageError("--teleop.type: a person takes over with --strategy=interactive only; add that")
    if interactive and not records:
        raise UsageError(
            "--strategy=interactive records what the person does: add --dataset.repo_id=OWNER/NAME"
        )
    passed_on = [flag for flag in flags if flag not in _SILENT and flag.partition("=")[0] in given]
    renamed = [_renamed(flag, records) for flag in passed_on]
    rate = "--dataset.fps" if records else "--fps"
    if not any(flag.startswith(f"{rate}=") for flag in renamed):
        renamed.append(f"{rate}={_trained_fps(given)}")
    if records and "--task" in given:
        renamed.append(f"--dataset.single_task={given['--task']}")
    return ["--teleop.type=policy", *renamed], records


def _joined(args: list[str]) -> list[str]:
    """Write `--flag value` as `--flag=value`."""
    flags: list[str] = []
    for arg in args:
        if not arg.startswith("--") and flags and "=" not in flags[-1]:
            flags[-1] += f"={arg}"
        else:
            flags.append(arg)
    return flags


def _renamed(flag: str, records: bool) -> str:
    """Return a flag under its name in the session."""
    name, equals, value = flag.partition("=")
    if name == "--duration" and records:
        raise UsageError("--duration: recorded flights end after --dataset.episode_time_s each; give that")
    if name == "--fps" and records:
        name = "--dataset.fps"
    name = _NAMES.get(name, name)
    if name == flag.partition("=")[0]:
        for before, after in (("--policy.", "--teleop."), ("--teleop.", "--takeover.")):
            if name.startswith(before):
                name = after + name.removeprefix(before)
                break
    return name + equals + value


def _trained_fps(given: dict[str, str]) -> int:
    """Return the rate at which the policy was trained [Hz].

    Raises:
        UsageError: If its checkpoint does not say.
    """
    from collector.teleoperators.policy import Policy, PolicyConfig

    config = PolicyConfig(path=given["--policy.path"], revision=given.get("--policy.revision"))
    fps = Policy(config).fps
    if fps is None:
        raise UsageError("the checkpoint does not say at which rate it was trained: give it as --fps=")
    return fps
