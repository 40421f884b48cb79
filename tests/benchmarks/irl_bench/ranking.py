"""How well a learnt reward tells flights that succeeded from others: AUROC on flights that it was not learnt from."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from curation_bench.flying import Sky
from curation_bench.plain_set import write_plain
from recorder_bench import table
from rigs.pusht_human import ABSENT, PUSHT_HUMAN, REASON
from scipy.spatial import cKDTree

from collector.dataset.linear_reward import LinearReward, frame_table
from collector.dataset.reader import Dataset
from irl_bench.figures import mean_interval
from irl_bench.flown import FLAWS, fly_set
from training.config import DatasetSource, TrainConfig
from training.irl.config import IrlConfig
from training.irl.learners.apprenticeship import ApprenticeshipConfig
from training.irl.learners.iqlearn import IqLearnConfig
from training.irl.stage import Stage
from training.policies.bc import BcConfig
from training.source import open_source

LEARN_SEED, TEST_SEED, SEEDS_A_SET = 20_000_000, 30_000_000, 100_000
LEARNT_CLEAN, LEARNT_OF_EACH, TESTED_CLEAN, TESTED_OF_EACH = 24, 6, 30, 8
JOINTS, CUBE = "observation.state", "observation.environment_state"
SEES = {"joints and cube": [JOINTS, CUBE], "joints": [JOINTS]}
FEATURES = ("fourier", "entries", "dynamics", "sim_so101")
IQ_STEPS = 1000
PUSHT_GOOD = 0.9
Score = Callable[[Dataset], np.ndarray]


def auroc(scores: np.ndarray, good: np.ndarray) -> float:
    """Return the chance that a good flight scores above a bad one, ties halved (Hanley & McNeil 1982)."""
    above = scores[good][:, None] - scores[~good][None, :]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def learn(
    irl: IrlConfig, root: Path, expert: str, coverage: str | None, seed: int
) -> tuple[LinearReward, dict[str, Any]]:
    """Learn a reward as `demodeck train --irl.type=...` does; return it with its figures."""
    source = DatasetSource(root=root, filter=expert, coverage_filter=coverage)
    config = TrainConfig(dataset=source, policy=BcConfig(device="cpu"), irl=irl, seed=seed)  # type: ignore[arg-type]
    config.validate()
    dataset, provenance = open_source(source)
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage.prepare(config, dataset, provenance)
        learnt = stage.learn(Path(folder) / "irl")
        return stage.reward(learnt), learnt.figures


def worth_by(reward: LinearReward) -> Score:
    """Return the score of `demodeck score --reward`."""
    return lambda dataset: reward.worth(frame_table(dataset, reward.features.columns), dataset.lengths())


def near_ends(dataset: Dataset, episodes: list[int], columns: list[str]) -> Score:
    """Return a baseline: minus the mean distance of the last state to the 5 nearest last states of the expert's."""
    scale = frame_table(dataset, columns, episodes)
    spread = np.concatenate([scale[name].std(axis=0) + 1e-9 for name in columns])

    def ends(of: Dataset, chosen: list[int] | None = None) -> np.ndarray:
        found = frame_table(of, columns, chosen)
        last = np.cumsum(of.lengths(chosen)) - 1
        return np.concatenate([found[name][last] for name in columns], axis=1) / spread

    tree = cKDTree(ends(dataset, episodes))
    return lambda of: -tree.query(ends(of), k=min(5, len(episodes)))[0].mean(axis=1)


def flown_sets(seeds: int, keep: Path | None = None) -> Iterator[tuple[int, Path, Path]]:
    """Fly a set to learn from and one to test on, for each seed.

    Args:
        seeds: How many.
        keep: Where they stay, or are found.
    """
    sky = None
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(seeds):
            paths = [(keep or Path(temporary)) / str(seed) / part for part in ("learn", "test")]
            for path, first, clean, each in zip(
                paths,
                (LEARN_SEED, TEST_SEED),
                (LEARNT_CLEAN, TESTED_CLEAN),
                (LEARNT_OF_EACH, TESTED_OF_EACH),
            ):
                if not path.exists():
                    sky = sky or Sky()
                    flights = fly_set(sky, first + SEEDS_A_SET * seed, clean, each)
                    write_plain(path, flights, with_scene=True, with_success=True)
            yield seed, paths[0], paths[1]


def _learners() -> dict[tuple[str, str, str, str], tuple[IrlConfig, str | None]]:
    """Return settings and coverage, by learner, features, what is seen, and what it was told."""
    rows: dict[tuple[str, str, str, str], tuple[IrlConfig, str | None]] = {}
    for told, coverage in (("successes and failures", "not success"), ("successes", None)):
        for sees, features in (*((("joints and cube", one)) for one in FEATURES), ("joints", "fourier")):
            irl = ApprenticeshipConfig(features=features, inputs=SEES[sees])
            rows["apprenticeship", features, sees, told] = (irl, coverage)
    return rows


def iq_learn(seeds: int, pictures: Path | None, keep: Path | None = None) -> None:
    """As `success`, by IQ-Learn, which takes a hundred times as long."""
    irl = IqLearnConfig(inputs=SEES["joints and cube"], steps=IQ_STEPS, hidden_dim=64, batch_size=64)
    success(seeds, pictures, keep, {("IQ-Learn", "fourier", "joints and cube", "successes"): (irl, None)})


def success(
    seeds: int,
    pictures: Path | None,
    keep: Path | None = None,
    learners: dict[tuple[str, str, str, str], tuple[IrlConfig, str | None]] | None = None,
) -> None:
    """Print AUROC against success on the SO-101, in all and by flaw; nothing is drawn."""
    found: dict[tuple[str, ...], list[dict[str, float]]] = {}
    for seed, to_learn, to_test in flown_sets(seeds, keep):
        test, shown = Dataset.open(to_test), Dataset.open(to_learn)
        good = np.array(test.episodes["success"].to_pylist(), bool)
        flaw = np.array(test.episodes["flaw"].to_pylist())
        clean = np.flatnonzero(shown.episodes["success"].to_pylist()).tolist()
        usual = float(np.median(shown.lengths(clean)))
        scores: dict[tuple[str, ...], tuple[Score, float]] = {
            ("length: longer is better", "", "", ""): (lambda of: of.lengths().astype(float), 0.0),
            ("length: as the successes' median", "", "", "successes"): (
                lambda of, usual=usual: -np.abs(of.lengths() - usual),
                0.0,
            ),
        }
        for sees, columns in SEES.items():
            scores["end: near to the successes' ends", "", sees, "successes"] = (
                near_ends(shown, clean, columns),
                0.0,
            )
        for name, (irl, coverage) in (learners or _learners()).items():
            reward, figures = learn(irl, to_learn, "success", coverage, seed)
            scores[name] = (worth_by(reward), figures["cpu_seconds"])
            found_now = auroc(scores[name][0](test), good)
            print(
                f"seed {seed}, {', '.join(name)}: learnt, AUROC {found_now:.3f}", file=sys.stderr, flush=True
            )
        for name, (score, seconds) in scores.items():
            values = score(test)
            by_flaw = {one: auroc(values[good | (flaw == one)], good[good | (flaw == one)]) for one in FLAWS}
            lengths = np.corrcoef(values.argsort().argsort(), test.lengths().argsort().argsort())[0, 1]
            found.setdefault(name, []).append(
                {"all": auroc(values, good), **by_flaw, "length": float(lengths), "seconds": seconds}
            )
            print(
                f"seed {seed}, {', '.join(filter(None, name))}: {found[name][-1]}",
                file=sys.stderr,
                flush=True,
            )
    table.heading(
        "Learnt rewards: AUROC against success, SO-101",
        f"Learnt from {LEARNT_CLEAN} successes (and {LEARNT_OF_EACH} failures of each kind), tested on other seeds: "
        f"{TESTED_CLEAN} successes, {TESTED_OF_EACH} failures of each kind. Mean of {seeds} sets with Student's 95 % "
        "interval; columns by kind are successes against that kind alone.",
    )
    table.head(
        "score", "features", "sees", "was told", "AUROC", *FLAWS, "rank correlation to length", "CPU [s]"
    )
    for name, results in found.items():
        table.row(
            *name,
            mean_interval([one["all"] for one in results], 3),
            *(f"{np.mean([one[flaw] for one in results]):.3f}" for flaw in FLAWS),
            f"{np.mean([one['length'] for one in results]):+.2f}",
            f"{np.mean([one['seconds'] for one in results]):.1f}",
        )


def pusht(seeds: int, pictures: Path | None) -> None:
    """Print AUROC against a last reward of at least .9 on people's flights of PushT; nothing is drawn."""
    if ABSENT:
        print(REASON, file=sys.stderr)
        return
    dataset = Dataset.open(PUSHT_HUMAN)
    last = np.cumsum(dataset.lengths()) - 1
    good = dataset.columns(["next.reward"])["next.reward"].ravel()[last] >= PUSHT_GOOD
    found: dict[tuple[str, str, str], list[float]] = {}
    for seed in range(seeds):
        halves = np.random.default_rng(seed).permutation(dataset.num_episodes)
        shown, tested = (np.sort(half) for half in np.array_split(halves, 2))
        best, others = shown[good[shown]].tolist(), shown[~good[shown]].tolist()
        lengths = dataset.lengths().astype(float)
        columns = [JOINTS, CUBE]
        scores: dict[tuple[str, str, str], np.ndarray] = {
            ("length: shorter is better", "", ""): -lengths,
            ("end: near to the good ones' ends", "", "good ones"): near_ends(dataset, best, columns)(dataset),
        }
        for features in ("pusht", "fourier"):
            for told, coverage in (("good ones and others", others), ("good ones", None)):
                of = None if coverage is None else f"episode_index IN ({', '.join(map(str, coverage))})"
                chosen = f"episode_index IN ({', '.join(map(str, best))})"
                reward, _ = learn(ApprenticeshipConfig(features=features), PUSHT_HUMAN, chosen, of, seed)
                scores["apprenticeship", features, told] = worth_by(reward)(dataset)
        for name, values in scores.items():
            found.setdefault(name, []).append(auroc(values[tested], good[tested]))
            print(
                f"seed {seed}, {', '.join(filter(None, name))}: {found[name][-1]:.3f}",
                file=sys.stderr,
                flush=True,
            )
    table.heading(
        "Learnt rewards: AUROC against a last reward of at least .9, people's flights of PushT",
        f"Learnt from a half of the 206 flights ({int(good.sum())} of all end so), tested on the other; {seeds} "
        "halvings, mean with Student's 95 % interval.",
    )
    table.head("score", "features", "was told", "AUROC")
    for name, values_of in found.items():
        table.row(*name, mean_interval(values_of, 3))
