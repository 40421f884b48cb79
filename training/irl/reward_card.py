"""The reward's README.md: what is rewarded, by feature, how it was learnt, and where it is high."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from collector.dataset.durable import write_bytes
from collector.dataset.feature_maps import UNREADABLE
from collector.dataset.linear_reward import LinearReward
from training.irl.task import Flights

PICTURE = "reward.png"
_SHOWN = 30  # features in the table, the heaviest


def write_reward_card(folder: Path, reward: LinearReward, flights: Flights) -> None:
    """Write `README.md`, and where matplotlib is installed `reward.png`, beside a reward.

    Raises:
        OSError: If the disk refuses.
    """
    from training.irl.reward_picture import draw_reward

    picture = draw_reward(reward, flights, folder / PICTURE)
    learnt = reward.learnt
    lines = [
        "---",
        "license: apache-2.0",
        "library_name: lerobot",
        "pipeline_tag: robotics",
        "tags:",
        *(f"- {tag}" for tag in ("robotics", "lerobot", "demodeck", "reward-model", "linear")),
        "---",
        "",
        "# What these flights care about",
        "",
        f"R(s) = w . phi(s), learnt by `{learnt['by']}` from {learnt['expert_episodes']} flights"
        + (f" beside {learnt['coverage_episodes']} others" if learnt["coverage_episodes"] else "")
        + f" of {learnt['dataset']}; discount {reward.discount}, ||w|| = 1.",
        "",
    ]
    if picture:
        lines += [f"![What is rewarded where]({PICTURE})", ""]
    lines += [*_weights(reward), "", *_learnt(reward), "", *_worth(reward, flights), ""]
    lines += [
        "Rank a dataset's flights by it: `demodeck score DATASET --reward=THIS_FOLDER`. In lerobot, with demodeck "
        "installed:",
        "",
        "    import training.irl.reward",
        "    from lerobot.configs.rewards import RewardModelConfig",
        "    from lerobot.rewards.factory import make_reward_model",
        "    config = RewardModelConfig.from_pretrained(PATH)",
        "    config.pretrained_path = PATH",
        "    rewards = make_reward_model(config).compute_reward(batch)",
        "",
    ]
    write_bytes(folder / "README.md", "\n".join(lines).encode())


def _weights(reward: LinearReward) -> list[str]:
    features = reward.features
    if features.kind in UNREADABLE:
        kind = f"{len(features.names)} {UNREADABLE[features.kind]}"
        return [
            f"{kind} of {', '.join(features.columns)}: their weights cannot be read; the picture and the ranking can. "
            "For weights in words: `--irl.features=entries`, or a file."
        ]
    lines = ["| weight | feature | what it is |", "|---|---|---|"]
    for name, weight in reward.by_weight()[:_SHOWN]:
        at = features.names.index(name)
        what = ""
        if features.kind == "named":
            what = features.about[at] or f"`{features.expressions[at]}`"
        lines.append(f"| {weight:+.3f} | `{name}` | {what} |".replace("\n", " "))
    if features.kind == "named":
        lines += [
            "",
            "A feature goes from 0 to 1 and is divided by the root of their number; as they are computed:",
            "",
        ]
        for name, text, low, high in zip(
            features.names, features.expressions, features.arrays["low"], features.arrays["high"]
        ):
            lines.append(f"    {name}: {text}; {low:.4g} is 0, {high:.4g} is 1")
    return lines


def _learnt(reward: LinearReward) -> list[str]:
    told = {name: value for name, value in reward.learnt.items() if value is not None and value != {}}
    lines = ["| learnt | |", "|---|---|"]
    for name, value in told.items():
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        lines.append(f"| {name.replace('_', ' ')} | {text.replace('|', '/')} |")
    return lines


def _worth(reward: LinearReward, flights: Flights) -> list[str]:
    worth = reward.worth(flights.columns, flights.lengths)
    lines = [
        "| flights learnt from | median worth (1 - gamma) sum gamma^t R | from | to |",
        "|---|---|---|---|",
    ]
    for title, chosen in (("expert", flights.is_expert), ("others", ~flights.is_expert)):
        if chosen.any():
            low, middle, high = np.quantile(worth[chosen], [0, 0.5, 1])
            lines.append(f"| {title} ({chosen.sum()}) | {middle:.4f} | {low:.4f} | {high:.4f} |")
    return lines
