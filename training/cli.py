"""`demodeck eval` and `demodeck compare`: flags in, work elsewhere, results out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.flags import PlainParser, parse_flags
from training.arguments import bare_switches, flag, quiet_lerobot, say

if TYPE_CHECKING:
    from training.eval_plan import EvalConfig, EvalPlan


def main_eval(args: list[str]) -> int:
    """Fly a policy or another pilot from fixed seeds, and print its success rate with its interval."""
    from training.blind_eval import blind_eval, is_asked_for

    if is_asked_for(args):
        return blind_eval(args)
    from collector.session.devices import register_devices

    args = bare_switches(args, "json")
    quiet_lerobot()
    args = register_devices(args)
    from training.evaluate import EvalConfig, make_plan, measure, summary

    config = parse_flags(EvalConfig, args, "eval")
    if getattr(config.robot, "realtime", False) and flag(args, "robot.realtime") is None:
        config.robot.realtime = False  # type: ignore[union-attr]
    plan = make_plan(config)
    result = measure(plan)
    if _write_result(config, result):
        say(f"wrote {config.output}", "eval")
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
        say(f"wrote {video['file']}", "eval")
    if not videos:
        say("no flight failed, so there is no video; --videos_of=all films successes", "eval")
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
        say(warning, "compare")
    print(json.dumps(comparison, indent=1) if flags.json else tables(comparison))
    return 0
