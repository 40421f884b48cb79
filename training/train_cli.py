"""`demodeck train`: flags in, runs elsewhere, results out."""

from __future__ import annotations

import contextlib
import datetime
import importlib
import json
import os
import pkgutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from collector.errors import DataError, HubError, UsageError
from collector.flags import parse_flags
from training.arguments import bare_switches, flag, quiet_lerobot, say

if TYPE_CHECKING:
    from training.config import TrainConfig


def main_train(args: list[str]) -> int:
    """Train a policy, or one for each combination of the lists given; returns the exit code (of a signal, its own)."""
    args = bare_switches(args, "json", "resume")
    if any(arg.startswith("--irl.") for arg in args) and flag(args, "policy.type") is None:
        args += [] if flag(args, "resume") == "true" else ["--policy.type=bc"]
    quiet_lerobot()
    # Read when torch is imported. Threads that spin while they wait for one another stand still on a busy
    # machine: 5 steps/s became 38 for a small network with two threads beside other work on two cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    register_ours()
    from training.sweep_run import EXIT_CODES, asked_for, sweep

    if (asked := asked_for(args)) is not None:
        return sweep(asked, configured)
    config = configured(args)
    from training.train import train

    summary = train(config)
    code = EXIT_CODES[summary["interrupted"]]
    if not summary.pop("is_first"):
        return code
    if summary["interrupted"]:
        say(
            f"stopped by {summary['interrupted']} at step {summary['step']} of {config.steps}; go on with: "
            f"demodeck train --resume=true --output_dir={config.output_dir}"
        )
    elif summary["checkpoint"]:
        summary["published"] = _publish(config, Path(summary["checkpoint"]))
    if config.irl is not None and not summary["interrupted"]:
        summary["reward"] = str(Path(summary["output_dir"]) / "reward")
        summary["published_reward"] = _publish_reward(config, Path(summary["reward"]))
    if config.json:
        print(json.dumps(summary))
    elif summary["loss"] is None:
        print(summary["checkpoint"] or summary.get("reward") or summary["output_dir"])
    else:
        print(
            f"{summary['checkpoint']}: step {summary['step']}, loss {summary['loss']:.4f}, "
            f"{summary['seconds']:.0f} s ({summary['steps_per_s']:.0f} steps/s)"
        )
    return code


def configured(args: list[str]) -> TrainConfig:
    """Return the settings of one run, checked, with its output folder.

    Raises:
        UsageError: If a flag is wrong.
        DataError: If it is to go on and has no checkpoint.
    """
    from training.config import TrainConfig

    _register_policies(args)
    args = _register_simulations(args)
    resumes = flag(args, "resume") == "true"
    config = _resumed_config(args) if resumes else parse_flags(TrainConfig, args, "train")
    config.validate()
    _settle(config, args)
    return config


def register_ours() -> None:
    """Register our policies and learners of rewards."""
    import training.irl.learners
    import training.policies

    for package in (training.policies, training.irl.learners):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)


def _register_policies(args: list[str]) -> None:
    """Register our policies, and the one of lerobot's that is asked for or on record.

    Raises:
        UsageError: If `--policy.type` is neither one of ours nor one of lerobot's.
    """
    register_ours()
    from lerobot.configs import PreTrainedConfig

    from training.config import PolicyChoice
    from training.lerobot_policies import TRAINED_HERE

    PolicyChoice.asked = ""
    ours = sorted(PolicyChoice.get_known_choices())
    wanted = flag(args, "policy.type") or _recorded_type(args)
    if wanted is None or wanted in ours:
        return
    if wanted not in PreTrainedConfig.get_known_choices():
        raise UsageError(
            f"--policy.type={wanted}: choose {' or '.join(ours)}, or one of lerobot's own: {', '.join(TRAINED_HERE)}"
        )
    PolicyChoice.asked = wanted


def _recorded_type(args: list[str]) -> str | None:
    """Return the type of the policy of the run in --output_dir that is to go on, where there is one."""
    from training.folder import last_record

    output_dir = flag(args, "output_dir")
    if flag(args, "resume") != "true" or output_dir is None:
        return None
    with contextlib.suppress(DataError):  # said when it is opened
        return str(last_record(Path(output_dir))["policy"]["type"])
    return None


def _register_simulations(args: list[str]) -> list[str]:
    """Register the robot that `--eval.robot.*` names; returns `args` without the plugin flags."""
    if not any(arg.startswith("--eval.robot.") for arg in args):
        return args
    from collector.session.devices import register_devices

    named = [arg.replace("--eval.robot.", "--robot.", 1) for arg in args if arg.startswith("--eval.robot.")]
    kept = register_devices(named)
    flags = [arg.replace("--robot.", "--eval.robot.", 1) for arg in kept]
    return [arg for arg in args if not arg.startswith("--eval.robot.")] + flags


def _resumed_config(args: list[str]) -> TrainConfig:
    """Return the settings of the run in --output_dir, with the flags that may change laid over them.

    Raises:
        UsageError: If --output_dir is missing, or a flag would make it another run.
        DataError: If there is no checkpoint.
    """
    from training.config import TrainConfig, encode
    from training.folder import last_record

    output_dir = flag(args, "output_dir")
    if output_dir is None:
        raise UsageError("--resume=true needs --output_dir=FOLDER, the folder of the run to go on with")
    record = last_record(Path(output_dir))
    record.pop("run")
    if flown := (record.get("eval") or {}).get("robot"):
        _register_simulations([f"--eval.robot.type={flown['type']}"])
    with tempfile.NamedTemporaryFile("w", suffix=".json") as saved:
        json.dump(record, saved)
        saved.flush()
        kept = [arg for arg in args if not arg.startswith("--config_path")]
        # Encoded anew, so that a run from before a setting existed has its default.
        recorded = encode(parse_flags(TrainConfig, [f"--config_path={saved.name}"], "train"))
        config = parse_flags(TrainConfig, [f"--config_path={saved.name}", *kept], "train")
    now = encode(config)
    may_change = {"output_dir", "resume", "json", "log_freq", "save_freq", "num_threads", "image_cache"}
    may_change |= {"tensorboard", "wandb", "eval_freq", "eval"}
    free_policy_fields = {"repo_id", "push_to_hub", "private", "tags", "license", "device"}
    for key, before in recorded.items():
        after = now[key]
        if key == "irl" and before and after:
            before, after = (
                {k: v for k, v in settings.items() if k not in ("repo_id", "private", "policy")}
                for settings in (before, after)
            )
        if key == "policy":
            before = {k: v for k, v in before.items() if k not in free_policy_fields}
            after = {k: v for k, v in after.items() if k not in free_policy_fields}
        if key not in may_change and before != after:
            changed = [f"--{key}"]
            if isinstance(before, dict):
                changed = [
                    f"--{key}.{k}={after.get(k)} (was {v})" for k, v in before.items() if after.get(k) != v
                ]
            else:
                changed = [f"--{key}={after} (was {before})"]
            raise UsageError(f"{', '.join(changed)} would make it another run: leave it out, or start anew")
    return config


def _settle(config: TrainConfig, args: list[str]) -> None:
    """Fill in the output folder and say which device trains."""
    assert config.policy is not None
    if config.output_dir is None:
        now = datetime.datetime.now()
        config.output_dir = Path("outputs/train") / f"{now:%Y-%m-%d}" / f"{now:%H-%M-%S}_{config.policy.type}"
    asked = flag(args, "policy.device")
    if asked and not str(config.policy.device).startswith(asked.partition(":")[0]):
        say(f"--policy.device={asked} is not available here: training on {config.policy.device}")


def _publish_reward(config: TrainConfig, reward: Path) -> str | None:
    """Push a learnt reward to the Hub; returns its address there, or None.

    Raises:
        HubError: If the Hub refuses or is out of reach; the reward stays on disk.
    """
    assert config.irl is not None
    if not config.irl.repo_id:
        return None
    from collector.hub.mirror import push_mirror

    try:
        pushed = push_mirror(
            reward,
            config.irl.repo_id,
            repo_type="model",
            message=f"reward by {config.irl.type}, seed {config.seed}",
            private=config.irl.private,
        )
    except HubError as error:
        raise HubError(f"{error}; the learnt reward is safe in {reward}") from error
    say(f"published {pushed.url}")
    return str(pushed.url)


def _publish(config: TrainConfig, checkpoint: Path) -> str | None:
    """Push a checkpoint's `pretrained_model` to the Hub; returns its address there, or None.

    Raises:
        HubError: If the Hub refuses or is out of reach; the checkpoint stays on disk.
    """
    policy = config.policy
    assert policy is not None
    if not policy.push_to_hub or not policy.repo_id:
        return None
    from collector.hub.mirror import push_mirror

    message = f"{policy.type}: step {config.steps}, seed {config.seed}"
    try:
        pushed = push_mirror(
            checkpoint, policy.repo_id, repo_type="model", message=message, private=policy.private
        )
    except HubError as error:
        raise HubError(
            f"{error}; the trained policy is safe in {checkpoint}: "
            f"'demodeck train --resume=true --output_dir={config.output_dir}' publishes it without training"
        ) from error
    say(f"published {pushed.url}")
    return str(pushed.url)
