"""The model card: what a policy is, what it was trained on, and how to fly it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from collector.dataset.durable import write_bytes
from training.config import command

_TEMPLATE = """---
{front_matter}---

# {title}

A policy of type `{type}` that predicts {horizon} actions at a time and flies {n_action_steps} of them at {fps} Hz.

| | |
|---|---|
| dataset | {dataset} |
| revision | {revision} |
| filter | {filter} |
| episodes | {n_episodes} ({n_frames} frames; sha256 of the list {episodes_sha256:.12}) |
| robot | {robot_type} |
| sees | {inputs} |
| acts on | {actions} |
| steps | {step} of {steps}, batches of {batch_size} |
| seed | {seed} |
| training loss | {loss:.5f} (says little about success: measure it with `demodeck eval`) |
| versions | {versions} |

Trained by:

    {command}

{history}Fly it in simulation, 100 times from fixed seeds:

    demodeck eval --policy.path={path} --robot.type=sim_so101 --episodes=100 --seed=5000

On a real arm by lerobot's own command, with demodeck installed:

    lerobot-rollout --policies.discover_packages_path=training.policies \\
        --policy.path={path} --robot.type=so101_follower --robot.port=PORT
"""


def write_card(path: Path, record: dict[str, Any], history: str = "") -> None:
    """Write a policy's README.md.

    Args:
        path: Where to.
        record: What train_config.json holds: the flags, and under `run` the data's origin and the result.
        history: Markdown of how the run went.

    Raises:
        OSError: If the disk refuses.
    """
    policy, run = record["policy"], record["run"]
    dataset = run["dataset"]
    repo_id = policy.get("repo_id")
    front_matter = [
        f"license: {policy.get('license') or 'apache-2.0'}",
        "library_name: lerobot",
        "pipeline_tag: robotics",
        f"model_name: {policy['type']}",
        "tags:",
        *[
            f"- {tag}"
            for tag in ["robotics", "lerobot", "demodeck", policy["type"], *(policy.get("tags") or [])]
        ],
    ]
    if dataset["repo_id"] and dataset["revision"]:  # only a dataset on the Hub can be linked to
        front_matter += ["datasets:", f"- {dataset['repo_id']}"]
    text = _TEMPLATE.format(
        front_matter="\n".join(front_matter) + "\n",
        title=repo_id or policy["type"],
        type=policy["type"],
        horizon=policy.get("horizon") or policy.get("chunk_size", 1),
        n_action_steps=policy.get("n_action_steps", 1),
        fps=dataset["fps"],
        dataset=dataset["repo_id"] or "a local folder",
        revision=f"`{dataset['revision']}`" if dataset["revision"] else "local, none",
        filter=f"`{dataset['filter']}`" if dataset["filter"] else "none: all episodes",
        n_episodes=len(dataset["episodes"]),
        n_frames=dataset["n_frames"],
        episodes_sha256=dataset["episodes_sha256"],
        robot_type=dataset["robot_type"] or "not named",
        inputs=", ".join(f"`{key}`" for key in policy["input_features"]),
        actions=", ".join(policy.get("action_feature_names") or ["`action`"]),
        step=run["step"],
        steps=record["steps"],
        batch_size=record["batch_size"],
        seed=record["seed"],
        loss=math.nan if run["loss"] is None else run["loss"],
        versions=", ".join(f"{name} {number}" for name, number in run["versions"].items()),
        path=repo_id or "PATH",
        command=command(record),
        history=f"{history}\n\n" if history else "",
    )
    write_bytes(path, text.encode())
