"""Learns five ways to drive on a highway from two minutes each (Abbeel & Ng 2004, section 5.2).

    python -m training.irl.driving --style=all --iterations=30 --seed=0 [--json] [--picture=strip.png]

The drivers are scripts, where the paper's were people: none of them optimises a reward, and the learner sees nothing
of them but the lanes that they were in and the cars in those lanes.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from training.interrupt import StopRequest
from training.irl.apprenticeship import Outcome, Settings, learn
from training.irl.command import Progress, ending, folder_of, make_parser, run, settings_of
from training.irl.highway import COLLISION, FEATURES, LANES, STYLES, frequencies, make_highway
from training.irl.iterates import IterateFolder
from training.irl.pictures import check_picture
from training.irl.strips import draw_strips
from training.irl.tabular import TabularMdp
from training.irl.tabular_learner import ACTION, TabularLearner, demonstrate

FLIGHTS, FRAMES = 6, 200  # 6 times 20 s: the paper's two minutes
_COLUMNS = ("collision", *LANES)


def learn_style(
    model: TabularMdp, style: str, settings: Settings, folder: IterateFolder | None = None, **watch: Any
) -> tuple[Outcome, dict[str, Any]]:
    """Learn one style from its demonstrations.

    Args:
        model: What `make_highway` made.
        style: A key of `STYLES`.
        settings: How to learn.
        folder: As in `learn`.
        **watch: `report` and `stopped`, as in `learn`.

    Returns:
        What was learnt, and of it: `style`, `reason`, `margin` (of the demonstrations' norm), `truncation`; by feature,
        in shares of the discounted time, `demonstrated`, `expert` (exact), `mixture` and `best`; the `weights` of the
        reward that the best single policy is optimal for; `demonstrated_distance`, `mixture_distance` and
        `best_distance` to the exact expert in shares of its norm.
    """
    policy = STYLES[style]()
    shown = demonstrate(model, policy, FLIGHTS, FRAMES, settings.seed, complete=True).expectations
    expert = model.expectations(policy)
    if "report" not in watch:
        watch["report"] = Progress(shown.norm, style)
    outcome = learn(TabularLearner(model), shown, settings, folder, **watch)
    means = np.array([iterate.mean for iterate in outcome.iterates])
    mixture, best = outcome.mixture @ means, means[outcome.best]
    by_feature = {
        "demonstrated": frequencies(model, shown.mean),
        "expert": frequencies(model, expert.mean),
        "mixture": frequencies(model, mixture),
        "best": frequencies(model, best),
        "weights": outcome.iterates[outcome.best].weights,
    }
    return outcome, {
        "style": style,
        "reason": outcome.reason,
        "iterations": len(outcome.iterates) - 1,
        "margin": outcome.margin / shown.norm,
        "truncation": shown.truncation / shown.norm,
        **{
            f"{name}_distance": float(np.linalg.norm(expert.mean - mean)) / expert.norm
            for name, mean in (("demonstrated", shown.mean), ("mixture", mixture), ("best", best))
        },
        **{name: dict(zip(FEATURES, map(float, values))) for name, values in by_feature.items()},
    }


def table(results: list[dict[str, Any]]) -> str:
    """Return the paper's table: shares of the time by style, as demonstrated and as learnt, and the weights."""
    lines = [
        f"| style | | {' | '.join(_COLUMNS)} | distance to the driver |",
        "|---" * (len(_COLUMNS) + 3) + "|",
    ]
    rows = (
        ("expert", "the driver, exactly"),
        ("demonstrated", "demonstrated, 2 minutes"),
        ("mixture", "learnt, mixture"),
        ("best", "learnt, best single policy"),
        ("weights", "its reward's weights"),
    )
    for result in results:
        for key, title in rows:
            cells = [
                f"{result[key][FEATURES[COLLISION]]:.3f}",
                *(f"{result[key][lane]:.3f}" for lane in LANES),
            ]
            distance = result.get(f"{key}_distance")
            last = "" if distance is None else f"{distance:.3f}"
            lines.append(f"| {result['style']} | {title} | {' | '.join(cells)} | {last} |")
    return "\n".join(lines)


def _work(args: list[str], stop: StopRequest) -> dict[str, Any]:
    parser = make_parser("driving", "Apprenticeship learning of driving styles on a small highway.")
    parser.add_argument("--style", choices=[*STYLES, "all"], default="all", help="default all")
    flags = parser.parse_args(args)
    settings = settings_of(flags)
    if flags.picture is not None:
        check_picture(flags.picture)
    model, results, flown = make_highway(), [], {}
    endings = []
    for style in STYLES if flags.style == "all" else (flags.style,):
        folder = folder_of(flags, style.replace(" ", "_"))
        outcome, result = learn_style(model, style, settings, folder, stopped=lambda: bool(stop.signal))
        results.append(result)
        flown[style] = (STYLES[style](), outcome.draw(settings.seed)[ACTION].astype(np.int64))
        endings.append(f"{style}: {result['iterations']} iterations ({ending(outcome.reason, flags)})")
        if stop.signal:
            break
    if flags.picture is not None:
        draw_strips(model, flown, settings.seed, flags.picture)
    text = "\n".join([table(results), "", *endings])
    return {
        "update": settings.update,
        "seed": settings.seed,
        "styles": results,
        "text": text,
        "json": flags.json,
    }


if __name__ == "__main__":
    sys.exit(run("driving", _work))
