"""`demodeck train`, `demodeck eval` and `demodeck compare`: flags in, work elsewhere, results out."""

from __future__ import annotations

import contextlib
import datetime
import importlib
import json
import logging
import os
import pkgutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.errors import DataError, HubError, UsageError
from collector.flags import PlainParser, parse_flags

if TYPE_CHECKING:
    from training.config import TrainConfig
    from training.eval_plan import EvalConfig, EvalPlan


def main_train(args: list[str]) -> int:
    """Train a policy; returns the exit code (that of the signal, where one stopped it)."""
    args = _bare_switches(args, "json", "resume")
    _quiet_lerobot()
    # Read when torch is imported. Threads that spin while they wait for one another stand still on a busy
    # machine: 5 steps/s became 38 for a small network with two threads beside other work on two cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from training.config import TrainConfig

    _register_policies(args)
    args = _register_simulations(args)
    config = (
        _resumed_config(args) if _flag(args, "resume") == "true" else parse_flags(TrainConfig, args, "train")
    )
    config.validate()
    _settle(config, args)
    from training.train import train

    summary = train(config)
    code = {"": 0, "SIGINT": 130, "SIGTERM": 143}[summary["interrupted"]]
    if not summary.pop("is_first"):
        return code
    if summary["interrupted"]:
        _say(
            f"stopped by {summary['interrupted']} at step {summary['step']} of {config.steps}; go on with: "
            f"demodeck train --resume=true --output_dir={config.output_dir}"
        )
    else:
        summary["published"] = _publish(config, Path(summary["checkpoint"]))
    if config.json:
        print(json.dumps(summary))
    else:
        print(
            f"{summary['checkpoint']}: step {summary['step']}, loss {summary['loss']:.4f}, "
            f"{summary['seconds']:.0f} s ({summary['steps_per_s']:.0f} steps/s)"
        )
    return code


def _register_policies(args: list[str]) -> None:
    """Register our policies, and the one of lerobot's that is asked for or on record.

    Raises:
        UsageError: If `--policy.type` is neither one of ours nor one of lerobot's.
    """
    import training.policies

    for module in pkgutil.iter_modules(training.policies.__path__, "training.policies."):
        importlib.import_module(module.name)
    from lerobot.configs import PreTrainedConfig

    from training.config import PolicyChoice
    from training.lerobot_policies import TRAINED_HERE

    PolicyChoice.asked = ""
    ours = sorted(PolicyChoice.get_known_choices())
    wanted = _flag(args, "policy.type") or _recorded_type(args)
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

    output_dir = _flag(args, "output_dir")
    if _flag(args, "resume") != "true" or output_dir is None:
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

    output_dir = _flag(args, "output_dir")
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
    asked = _flag(args, "policy.device")
    if asked and not str(config.policy.device).startswith(asked.partition(":")[0]):
        _say(f"--policy.device={asked} is not available here: training on {config.policy.device}")


def _publish(config: TrainConfig, checkpoint: Path) -> str | None:
    """Push a checkpoint's `pretrained_model` to the Hub; returns its address there, or None.

    Raises:
        HubError: If the Hub refuses or is out of reach; the checkpoint stays on disk.
    """
    policy = config.policy
    assert policy is not None
    if not policy.push_to_hub or not policy.repo_id:
        return None
    from collector.hub.client import push_mirror

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
    _say(f"published {pushed.url}")
    return str(pushed.url)


def main_eval(args: list[str]) -> int:
    """Fly a policy or another pilot from fixed seeds, and print its success rate with its interval."""
    from collector.session.devices import register_devices

    args = _bare_switches(args, "json")
    _quiet_lerobot()
    args = register_devices(args)
    from training.evaluate import EvalConfig, make_plan, measure, summary

    config = parse_flags(EvalConfig, args, "eval")
    if getattr(config.robot, "realtime", False) and _flag(args, "robot.realtime") is None:
        config.robot.realtime = False  # type: ignore[union-attr]
    plan = make_plan(config)
    result = measure(plan)
    if _write_result(config, result):
        _say(f"wrote {config.output}", "eval")
    if not config.json:
        print(summary(result), flush=True)
    interrupted = result.get("interrupted", False)
    try:
        if config.videos is not None and not interrupted:
            result["videos"] = _film(plan, config, result["flights"])
            _write_result(config, result)
    finally:
        if config.json:
            print(json.dumps(result, indent=1))
    return 130 if interrupted else 0


def _write_result(config: EvalConfig, result: dict[str, Any]) -> bool:
    """Write an evaluation where `--output` says; returns whether it says so."""
    if config.output is None:
        return False
    config.output.parent.mkdir(parents=True, exist_ok=True)
    config.output.write_text(json.dumps(result, indent=1) + "\n")
    return True


def _film(plan: EvalPlan, config: EvalConfig, flights: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Write the videos that `--videos` asks for, and say which."""
    from training.flight_videos import film

    assert config.videos is not None
    videos = film(plan, flights, config.videos, config.videos_of, config.n_videos)
    for video in videos:
        _say(f"wrote {video['file']}", "eval")
    if not videos:
        _say("no flight failed, so there is no video; --videos_of=all films successes", "eval")
    return videos


def main_compare(args: list[str]) -> int:
    """Put evaluations side by side, paired by seed."""
    from training.compare import compare, load_result
    from training.compare_tables import tables

    parser = PlainParser(
        prog="demodeck compare",
        description="Put evaluations side by side: success rate with Wilson's interval, and exact McNemar p against "
        "the baseline on the seeds that both flew. For claims: the exact interval (Clopper-Pearson), seeds won and "
        "lost, a p that holds whenever one stops flying, and the difference of the best rewards with its bootstrap "
        "interval. More than two are ranked, each tested against each other (Holm).",
    )
    parser.add_argument(
        "results", nargs="+", type=Path, metavar="FILE", help="what 'demodeck eval --output' wrote"
    )
    parser.add_argument("--baseline", help="name of the one to compare with (default: the first)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    flags = parser.parse_args(args)
    comparison = compare([load_result(path) for path in flags.results], flags.baseline)
    for warning in comparison["warnings"]:
        _say(warning, "compare")
    print(json.dumps(comparison, indent=1) if flags.json else tables(comparison))
    return 0


def _bare_switches(args: list[str], *names: str) -> list[str]:
    """Let `--json` stand for `--json=true`."""
    return [f"{arg}=true" if arg in [f"--{name}" for name in names] else arg for arg in args]


def _flag(args: list[str], name: str) -> str | None:
    """Return a flag's value as given on the command line, in either spelling, or None."""
    for i, arg in enumerate(args):
        if arg.startswith(f"--{name}="):
            return arg.partition("=")[2]
        if arg == f"--{name}" and i + 1 < len(args):
            return args[i + 1]
    return None


def _quiet_lerobot() -> None:
    """Hold back lerobot's warnings that no device was asked for and none is fast: we say which one trains."""
    noise = ("Device 'None' is not available", "No accelerated backend detected")

    def asked_for(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(noise)

    for name in ("lerobot.configs.policies", "root"):
        logging.getLogger(name).addFilter(asked_for)


def _say(line: str, verb: str = "train") -> None:
    print(f"{verb}: {line}", file=sys.stderr, flush=True)


__all__: list[Any] = ["main_compare", "main_eval", "main_train"]
