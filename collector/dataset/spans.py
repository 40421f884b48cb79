"""What an edit writes: stretches of episodes, of one dataset or several, in the order of the new episodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from collector.dataset import schema
from collector.dataset.reader import Dataset
from collector.errors import MismatchError, UsageError


@dataclass(frozen=True, eq=False)
class Span:
    """Frames `from_frame` to `to_frame` (exclusive) of an episode: a new episode.

    Attributes:
        source: The dataset that holds it.
        episode: Its number there.
        from_frame, to_frame: Frames counted from the episode's first.
        length: Frames of the whole episode.
        task: Words that replace its tasks; None leaves them.
        step: Every so many-th of these frames; the new episode has that many times fewer frames a second.
    """

    source: Dataset
    episode: int
    from_frame: int
    to_frame: int
    length: int
    task: str | None = None
    step: int = 1

    def __len__(self) -> int:
        return -(-(self.to_frame - self.from_frame) // self.step)

    @property
    def frames(self) -> slice:
        """The frames taken, within the episode."""
        return slice(self.from_frame, self.to_frame, self.step)

    @property
    def fps(self) -> float:
        """Frames a second [Hz] of the new episode."""
        fps = self.source.fps / self.step
        return int(fps) if fps == int(fps) else fps

    @property
    def whole(self) -> bool:
        """Whether nothing of the episode is cut away."""
        return len(self) == self.length


@dataclass(frozen=True)
class Changes:
    """What is written otherwise than it stands in the sources.

    Attributes:
        features: Name in the sources by new name, in the new order; None takes all as they are. lerobot's own
            columns (`timestamp`, `index`, ...) are taken always.
        tasks: New words by old words.
        robot_type: The new set's robot type, where it is not the first source's.
        mapped: New name by name, for each source that has the one and not the other.
        added: Columns that the sources lack (`added.Added`), by name; or that are replaced.
        episode_columns: Columns of the episode table that are set, by name: one value a span.
        windows: Where spans have a step, what becomes of the frames between: `last`, `sum` or `any`, by the column's
            new name; of other columns the frame itself stays.
    """

    features: Mapping[str, str] | None = None
    tasks: Mapping[str, str] = field(default_factory=dict)
    robot_type: str | None = None
    mapped: Mapping[str, str] = field(default_factory=dict)
    added: Mapping[str, Any] = field(default_factory=dict)
    episode_columns: Mapping[str, pa.Array] = field(default_factory=dict)
    windows: Mapping[str, str] = field(default_factory=dict)

    def new_names(self, source: Dataset) -> dict[str, str]:
        """Return the new name of each of a source's features that is taken, by its name there."""
        here = {
            name: self.mapped[name] if self.mapped.get(name, name) not in source.features else name
            for name in source.features
        }
        if self.features is None:
            return here
        wanted = {old: new for new, old in self.features.items()} | {n: n for n in schema.DEFAULT_FEATURES}
        order = list(dict.fromkeys([*self.features.values(), *schema.DEFAULT_FEATURES]))
        taken = sorted((n for n in here if here[n] in wanted), key=lambda n: order.index(here[n]))
        return {name: wanted[here[name]] for name in taken}


def span(
    source: Dataset,
    episode: int,
    from_frame: int = 0,
    to_frame: int | None = None,
    task: str | None = None,
) -> Span:
    """Return a stretch of an episode, by default all of it.

    Raises:
        UsageError: If there is no such episode, or the frames are none of it.
    """
    length = int(source.lengths([episode])[0])
    end = length if to_frame is None else to_frame
    if not 0 <= from_frame < end <= length:
        raise UsageError(
            f"frames {from_frame}:{end} are no part of episode {episode} of {source.root}: it has 0:{length}"
        )
    return Span(source, int(episode), int(from_frame), int(end), length, task)


def whole_episodes(source: Dataset, episodes: Sequence[int]) -> list[Span]:
    """Return whole episodes as spans.

    Raises:
        UsageError: If there is no such episode.
    """
    chosen = [int(episode) for episode in episodes]
    return [Span(source, e, 0, n, n) for e, n in zip(chosen, source.lengths(chosen).tolist())]


def sources_of(spans: Sequence[Span]) -> list[Dataset]:
    """Return the datasets that the spans are of, in the order in which they first come."""
    return list({id(s.source): s.source for s in spans}.values())


def check_spans(spans: Sequence[Span], changes: Changes) -> None:
    """Check that the spans can be written as one dataset.

    Raises:
        UsageError: If there are none, or the same is there twice.
        MismatchError: If the sources differ in frame rate or in a feature that is taken.
    """
    if not spans:
        raise UsageError("no episode is chosen: a dataset needs at least one")
    if len({(id(s.source), s.episode, s.from_frame, s.to_frame) for s in spans}) < len(spans):
        raise UsageError("an episode is chosen twice: each may be taken once")
    if len({s.step for s in spans}) > 1:
        raise UsageError("the episodes would have different frame rates: take each by the same step")
    first, *others = sources_of(spans)
    for other in others:
        if found := differences(first, other, changes):
            raise MismatchError(f"{other.root} does not fit {first.root}: {'; '.join(found)}")


def differences(a: Dataset, b: Dataset, changes: Changes | None = None) -> list[str]:
    """Return in words what keeps two datasets from being one: frame rate, features (dtype, shape, names)."""
    changes = changes or Changes()
    found = [] if a.fps == b.fps else [f"{a.fps:g} and {b.fps:g} frames a second"]
    of = [{new: d.features[old] for old, new in changes.new_names(d).items()} for d in (a, b)]
    for here, there, missing_in in ((of[0], of[1], b), (of[1], of[0], a)):
        if names := [name for name in here if name not in there]:
            found.append(f"{missing_in.root} has no {', '.join(names)}")
    for name, feature in of[0].items():
        other = of[1].get(name, feature)
        found += [
            f"{name} has {what} {_short(feature.get(what))} and {_short(other.get(what))}"
            for what in ("dtype", "shape", "names")
            if _plain(feature.get(what)) != _plain(other.get(what))
        ]
    return found


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
