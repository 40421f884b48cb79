"""One dataset into several: by shares, or by what an SQL expression says of each episode."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from collector.dataset.reader import Dataset
from collector.dataset.select import episode_values, select_episodes
from collector.errors import UsageError

_MOST_SETS = 50


def parse_shares(text: str) -> dict[str, float]:
    """Parse `train:0.8,val:0.2`.

    Raises:
        UsageError: If the text is no such list, a name cannot be a folder's, or the shares do not add up to 1.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*([\w.-]+)\s*:\s*(\d*\.?\d+)\s*", part)
        if match is None or match[1].startswith("."):
            raise UsageError(f"'{part}' is no share: write names and fractions like train:0.8,val:0.2")
        if match[1] in shares:
            raise UsageError(f"'{match[1]}' is named twice in '{text}': name each set once")
        shares[match[1]] = float(match[2])
    total = sum(shares.values())
    if abs(total - 1) > 1e-6 or min(shares.values()) <= 0:
        raise UsageError(
            f"the fractions of '{text}' add up to {total:g}: each must be above 0, and all together 1"
        )
    return shares


def by_shares(n_episodes: int, shares: dict[str, float], seed: int) -> dict[str, list[int]]:
    """Draw the episodes of each set; sizes are the nearest whole numbers (largest remainders), at least 1.

    Raises:
        UsageError: If there are fewer episodes than sets.
    """
    if n_episodes < len(shares):
        raise UsageError(f"{n_episodes} episodes do not make {len(shares)} sets: give fewer fractions")
    exact = {name: share * n_episodes for name, share in shares.items()}
    sizes = {name: max(1, int(size + 1e-9)) for name, size in exact.items()}
    while (left := n_episodes - sum(sizes.values())) != 0:
        step = 1 if left > 0 else -1
        able = [name for name in sizes if step > 0 or sizes[name] > 1]
        sizes[max(able, key=lambda name: step * (exact[name] - sizes[name]))] += step
    drawn = list(range(n_episodes))
    random.Random(seed).shuffle(drawn)
    result, at = {}, 0
    for name, size in sizes.items():
        result[name] = sorted(drawn[at : at + size])
        at += size
    return result


def by_value(dataset: Dataset, expression: str) -> dict[str, list[int]]:
    """Group the episodes by an SQL expression: a condition gives `true`, `false` and `none`, a column its values.

    Raises:
        UsageError: If it is no expression, has one value or too many, or two values give one name.
    """
    groups: dict[object, list[int]] = {}
    for episode, value in enumerate(episode_values(dataset, expression)):
        groups.setdefault(_hashable(value), []).append(episode)
    if len(groups) < 2:
        raise UsageError(
            f"'{expression}' is {_name(next(iter(groups)))} for every episode: nothing to split by"
        )
    if len(groups) > _MOST_SETS:
        raise UsageError(
            f"'{expression}' has {len(groups)} values: at most {_MOST_SETS} sets are made, so group them"
        )
    names = [_name(value) for value in groups]
    if clash := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(
            f"'{expression}' has two values that give the folder name '{clash[0]}': use a condition"
        )
    return dict(zip(names, groups.values()))


def by_queries(dataset: Dataset, texts: Sequence[str]) -> dict[str, list[int]]:
    """Return the episodes that each `NAME=SQL` chooses, by name; an episode that none chooses is in no set.

    Raises:
        UsageError: If a text is no such pair, a name cannot be a folder's, a condition is wrong or chooses nothing, or
            two choose the same episode.
    """
    groups: dict[str, list[int]] = {}
    for text in texts:
        match = re.fullmatch(r"\s*([\w.-]+)\s*=(?!=)\s*(.*\S)\s*", text, re.DOTALL)
        if match is None or match[1].startswith("."):
            raise UsageError(
                f"--query is '{text}': write a set's name and a condition, like good=\"rating >= 4\""
            )
        if match[1] in groups:
            raise UsageError(f"'{match[1]}' is named twice: name each set once")
        chosen = select_episodes(dataset, match[2])
        for name, others in groups.items():
            if both := sorted(set(others) & set(chosen)):
                raise UsageError(
                    f"episode {both[0]} is chosen for '{name}' and for '{match[1]}': narrow one of the conditions"
                )
        groups[match[1]] = chosen
    return groups


def _hashable(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _name(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = "-".join(map(str, value))
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return re.sub(r"[^\w.-]+", "_", str(value)).strip("._")[:60] or "empty"
