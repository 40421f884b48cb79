"""IQ-Learn on gymnasium's CartPole, from one demonstration and without a step in the world.

    python -m training.irl.cartpole --demonstrations=1 --every=20 --seed=0 [--json]

The demonstrator holds the pole for all 500 steps: linear feedback that is soft, as IQ-Learn takes experts to be: it
pushes right with probability 1 / (1 + exp(-sharpness gains . s)). A hard one (--sharpness=inf) soon only trembles about
the upright, and which one flight is shown decides what can be learnt. Beside IQ-Learn, behaviour cloning by a network
of the same size learns from the same transitions for as many steps.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from collector.errors import UsageError
from collector.flags import PlainParser
from training.interrupt import StopRequest
from training.irl.command import run
from training.irl.transitions import Transitions

ENVIRONMENT = "CartPole-v1"
GAINS = np.array([0.5, 1.0, 10.0, 2.0])  # cart's place and speed, pole's angle and speed: push where it falls
SHARPNESS = 3.0
DEMONSTRATION_SEED, EVALUATION_SEED = 10_000, 0


def demonstrator(sharpness: float, seed: int) -> Callable[[np.ndarray], int]:
    """Return the controller, from an observation to 0 (left) or 1 (right).

    Args:
        sharpness: How sure it is; infinite for the hard controller.
        seed: Of its choices.

    Raises:
        UsageError: If the sharpness is not positive.
    """
    if not sharpness > 0:
        raise UsageError(f"--sharpness={sharpness}: it must be above 0; inf is the hard controller")
    rng = np.random.default_rng(seed)

    def act(observation: np.ndarray) -> int:
        falls = float(GAINS @ observation)
        return int(falls > 0 if np.isinf(sharpness) else rng.random() < 1 / (1 + np.exp(-sharpness * falls)))

    return act


def fly(
    act: Callable[[np.ndarray], Any], seed: int
) -> tuple[float, list[tuple[np.ndarray, int, np.ndarray, bool]]]:
    """Fly an episode; returns its return and its transitions."""
    import gymnasium

    world = gymnasium.make(ENVIRONMENT)
    seen, _ = world.reset(seed=seed)
    total, steps = 0.0, []
    while True:
        action = int(act(seen))
        after, reward, ended, cut_off, _ = world.step(action)
        steps.append((seen, action, after, bool(ended)))
        total, seen = total + float(reward), after
        if ended or cut_off:
            world.close()
            return total, steps


def first_states(n: int, seed: int) -> np.ndarray:
    """Return where gymnasium's CartPole-v1 begins by the seeds `seed` to `seed + n - 1`, float32, (n, 4)."""
    import gymnasium

    world = gymnasium.make(ENVIRONMENT)
    seen = np.array([world.reset(seed=seed + i)[0] for i in range(n)], np.float32)
    world.close()
    return seen


def demonstrate(n: int, seed: int, sharpness: float = SHARPNESS) -> Transitions:
    """Fly the controller.

    Args:
        n: Flights.
        seed: Which ones; no two seeds share any.
        sharpness: As in `demonstrator`.

    Raises:
        UsageError: If `n` or the sharpness is not positive.
    """
    if n < 1:
        raise UsageError(f"--demonstrations={n}: at least 1 is needed")
    seeds = [DEMONSTRATION_SEED + 1000 * seed + i for i in range(n)]
    steps = [step for one in seeds for step in fly(demonstrator(sharpness, one), one)[1]]
    observation, action, after, ended = zip(*steps)
    return Transitions(np.array(observation), np.array(action), np.array(after), np.array(ended), n_actions=2)


def experiment(
    demonstrations: int,
    every: int,
    steps: int,
    seed: int,
    episodes: int = 20,
    sharpness: float = SHARPNESS,
    report: Callable[[dict[str, Any]], None] = lambda line: None,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Learn from a few flights, and fly what was learnt.

    Args:
        demonstrations: Flights of the expert.
        every: Every how many transitions one is shown.
        steps: Gradient steps.
        seed: Of the demonstrations, the weights and the batches.
        episodes: Flights to judge each policy by, from the same seeds always.
        sharpness: Of the demonstrator.
        report: As in `iq_learn`.
        stopped: As in `iq_learn`.

    Returns:
        `transitions`, `seconds` and `cpu_seconds` (of IQ-Learn's training), and the `returns` and `mean_return` of
        `iq_learn` and of `bc`.

    Raises:
        UsageError: If a number is not positive.
    """
    import torch

    from training.irl.cloning import clone_discrete
    from training.irl.iq_learn import IqSettings, iq_learn

    if every < 1 or episodes < 1:
        raise UsageError(f"--every={every} and --episodes={episodes} must be at least 1")
    torch.set_num_threads(1)  # for such networks more are slower
    settings = IqSettings(steps=steps, seed=seed)
    shown = demonstrate(demonstrations, seed, sharpness).every(every)
    began, spent = time.monotonic(), time.process_time()
    model = iq_learn(shown, settings, report, stopped)
    seconds, spent = time.monotonic() - began, time.process_time() - spent
    cloned = clone_discrete(shown, steps, seed)
    result: dict[str, Any] = {"transitions": len(shown), "seconds": seconds, "cpu_seconds": spent}
    for name, act in (("iq_learn", model.act), ("bc", cloned)):
        returns = [fly(act, EVALUATION_SEED + i)[0] for i in range(episodes)]
        result[name] = {"mean_return": float(np.mean(returns)), "returns": returns}
    return result


def _work(args: list[str], stop: StopRequest) -> dict[str, Any]:
    parser = PlainParser(
        prog="python -m training.irl.cartpole", description="IQ-Learn, offline, on CartPole."
    )
    parser.add_argument("--demonstrations", type=int, default=1, metavar="N", help="flights of the expert")
    parser.add_argument("--every", type=int, default=1, metavar="K", help="show every K-th transition")
    parser.add_argument("--steps", type=int, default=3000, help="gradient steps, default 3000")
    parser.add_argument("--episodes", type=int, default=20, help="flights to judge by, default 20")
    parser.add_argument(
        "--sharpness", type=float, default=SHARPNESS, help=f"of the demonstrator, default {SHARPNESS}"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="figures as JSON on stdout")
    flags = parser.parse_args(args)

    def report(line: dict[str, Any]) -> None:
        print(
            "iq_learn: " + ", ".join(f"{name} {value:.4g}" for name, value in line.items()), file=sys.stderr
        )

    found = experiment(
        flags.demonstrations,
        flags.every,
        flags.steps,
        flags.seed,
        flags.episodes,
        flags.sharpness,
        report,
        lambda: bool(stop.signal),
    )
    text = (
        f"from {found['transitions']} transitions: IQ-Learn {found['iq_learn']['mean_return']:.1f} of 500 after "
        f"{found['seconds']:.1f} s, behaviour cloning {found['bc']['mean_return']:.1f}"
    )
    return {"seed": flags.seed} | found | {"text": text, "json": flags.json}


if __name__ == "__main__":
    sys.exit(run("cartpole", _work))
