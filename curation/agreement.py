"""How far several people agree beyond chance: Cohen's and Fleiss' kappa, with an interval that few episodes widen.

kappa = 1 - D_o / D_e: the disagreement seen over the one that chance alone would give (Cohen 1960, Fleiss 1971; with
ordered values, weighted by the squared distance: Cohen 1968). Of two people chance is taken from each one's own
habits (Cohen), of several from what all said together (Fleiss).

The interval is a Bayesian one: the shares of the episodes' patterns are drawn from their Dirichlet posterior under
Jeffreys' prior (half an episode for each pair of answers), and kappa is computed of each draw. Unlike the usual
standard error, it does not shrink to nothing where a few episodes all agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from collector.dataset.labels import Labels
from collector.errors import UsageError

FIELDS: dict[str, tuple[Any, ...]] = {
    "verdict": ("keep", "drop"),
    "success": (True, False),
    "rating": (1, 2, 3, 4, 5),
}
"""Labels whose agreement can be told, and their values; those of `rating` are ordered."""
_ORDERED = ("rating",)
_DRAWS, _SEED = 20_000, 0

type Words = Mapping[int, Mapping[str, Any]]
"""What each author said of each episode: episode -> author -> value."""


@dataclass(frozen=True)
class Kappa:
    """Agreement on one label.

    Attributes:
        authors: Those compared: two (Cohen), or all (Fleiss).
        episodes: How many episodes at least two of them judged.
        agreed: Share of these on which all who judged said the same.
        kappa: 1 is full agreement, 0 that of chance; None where all said one and the same thing everywhere.
        low, high: 95 % interval of kappa.
    """

    authors: tuple[str, ...]
    episodes: int
    agreed: float
    kappa: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Agreement:
    """Agreement on one label: of all together, and of each two.

    Attributes:
        field: The label.
        all: Fleiss' kappa; None where fewer than three people judged.
        pairs: Cohen's kappa of each two who share episodes.
        disputed: Episodes on which they differ, and nobody settled the matter.
    """

    field: str
    all: Kappa | None
    pairs: tuple[Kappa, ...]
    disputed: tuple[int, ...]


def agreement(labels: Labels, field: str, episodes: Sequence[int] | None = None) -> Agreement:
    """Return how far the people who labelled a dataset agree on a label.

    Everyone's last own word counts; what somebody said to settle a dispute does not, for it was no second opinion.

    Args:
        labels: The dataset's labels.
        field: One of `FIELDS`.
        episodes: Only these; None for all.

    Raises:
        UsageError: If no episode was judged by two people.
        DataError: If the labels are damaged.
    """
    words = {
        e: said
        for e, said in labels.opinions(field).items()
        if len(said) > 1 and (episodes is None or e in set(episodes))
    }
    if not words:
        raise UsageError(
            f"no episode has a {field} by two people: let a second person judge some "
            "('demodeck label --author', or merge theirs with 'demodeck label --merge')"
        )
    authors = sorted({author for said in words.values() for author in said})
    pairs = [cohen(words, field, a, b) for a, b in combinations(authors, 2)]
    disputed = {c.episode for c in labels.conflicts() if c.field == field}
    return Agreement(
        field,
        fleiss(words, field) if len(authors) > 2 else None,
        tuple(pair for pair in pairs if pair is not None),
        tuple(sorted(disputed & words.keys())),
    )


def cohen(words: Words, field: str, first: str, second: str) -> Kappa | None:
    """Return Cohen's kappa of two people over the episodes that both judged; None where there are none."""
    values = FIELDS[field]
    both = [
        (values.index(said[first]), values.index(said[second]))
        for said in words.values()
        if first in said and second in said
    ]
    if not both:
        return None
    n = len(values)
    counts = np.zeros((n, n))
    np.add.at(counts, tuple(np.array(both).T), 1.0)
    distance = _distance(field)

    def kappas(tables: np.ndarray) -> np.ndarray:
        tables = tables.reshape(-1, n, n)
        shares = tables / tables.sum((1, 2), keepdims=True)
        chance = shares.sum(2)[:, :, None] * shares.sum(1)[:, None, :]
        return 1 - (distance * shares).sum((1, 2)) / (distance * chance).sum((1, 2))

    posterior = np.random.default_rng(_SEED).dirichlet(counts.ravel() + 0.5, _DRAWS)
    said = np.count_nonzero(counts.sum(0) + counts.sum(1)) > 1
    seen = float(kappas(counts)[0]) if said else None
    low, high = np.quantile(kappas(posterior), (0.025, 0.975))
    agreed = float(np.trace(counts) / counts.sum())
    return Kappa((first, second), len(both), agreed, seen, float(low), float(high))


def fleiss(words: Words, field: str) -> Kappa:
    """Return Fleiss' kappa of all who judged; an episode may have any number of judges from two.

    Each episode counts once, however many judged it.
    """
    values = FIELDS[field]
    judged = [said for said in words.values() if len(said) > 1]
    shares, apart = [], []  # of each episode: the share of each value, and the mean distance of two judges
    distance = _distance(field)
    for said in judged:
        counts = np.bincount([values.index(value) for value in said.values()], minlength=len(values))
        total = counts.sum()
        shares.append(counts / total)
        apart.append(counts @ distance @ counts / (total * (total - 1)))
    for a, b in product(
        range(len(values)), repeat=2
    ):  # the prior's: half an episode for each pair of answers
        shares.append((np.eye(len(values))[a] + np.eye(len(values))[b]) / 2)
        apart.append(distance[a, b])
    share, seen_apart = np.array(shares), np.array(apart)

    def kappas(weights: np.ndarray) -> np.ndarray:
        pooled = weights @ share
        return 1 - weights @ seen_apart / np.einsum("ni,ij,nj->n", pooled, distance, pooled)

    weight = np.concatenate([np.ones(len(judged)), np.full(len(values) ** 2, 0.5)])
    posterior = np.random.default_rng(_SEED).dirichlet(weight, _DRAWS)
    real = (weight == 1.0) / len(judged)
    said_one = np.count_nonzero(real @ share) < 2
    low, high = np.quantile(kappas(posterior), (0.025, 0.975))
    authors = tuple(sorted({author for said in judged for author in said}))
    agreed = float(np.mean([len(set(said.values())) == 1 for said in judged]))
    seen = None if said_one else float(kappas(real[None])[0])
    return Kappa(authors, len(judged), agreed, seen, float(low), float(high))


def second_opinions(labels: Labels, field: str, n: int, seed: int, author: str) -> list[int]:
    """Return episodes for a second, blind opinion: drawn evenly from those that one other person judged.

    Args:
        n: How many; fewer where there are not so many.
        seed: The same seed draws the same episodes.
        author: Who is to judge them now.

    Raises:
        UsageError: If nobody else judged an episode that waits for a second opinion.
        DataError: If the labels are damaged.
    """
    waiting = [e for e, said in labels.opinions(field).items() if len(said) == 1 and author not in said]
    if not waiting:
        raise UsageError(
            f"no episode waits for a second {field} by {author}: one other person must have judged it first"
        )
    chosen = np.random.default_rng(seed).permutation(len(waiting))[:n]
    return sorted(waiting[i] for i in chosen)


def _distance(field: str) -> np.ndarray:
    """Return how far apart two values are, (n, n): 0 the same, 1 the farthest."""
    n = len(FIELDS[field])
    if field in _ORDERED:
        return np.subtract.outer(np.arange(n), np.arange(n)) ** 2 / (n - 1) ** 2
    return 1.0 - np.eye(n)
