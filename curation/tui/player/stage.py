"""The episodes that the player holds, within one limit of bytes: the one shown, one beside it, and the next."""

from __future__ import annotations

from collections.abc import Mapping

from collector.dataset.reader import Dataset
from curation.tui.player.clip import FIRST_PICTURES, Clip
from curation.tui.player.decoder import AHEAD

LIMIT = 64_000_000
"""Bytes of decoded pictures, of all cameras and episodes that are held together."""
_PREFETCHED = 8  # the share of it that a prefetched episode has is one in so many


class Stage:
    """Opens and closes episodes; nothing here waits for a file.

    Args:
        dataset: What they are of.

    Attributes:
        clip: The episode that is shown; None before one is.
        other: The one beside it; None without.
        next: One that is likely to be shown next; None without.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.clip: Clip | None = None
        self.other: Clip | None = None
        self.next: Clip | None = None

    @property
    def n_bytes(self) -> int:
        """Bytes of decoded pictures that are held."""
        return sum(clip.n_bytes for clip in self._held())

    def _held(self) -> list[Clip]:
        return [clip for clip in (self.clip, self.other, self.next) if clip is not None]

    def show(self, episode: int) -> Clip:
        """Return an episode, opened; one that is shown or prefetched already keeps what was decoded of it.

        Raises:
            UsageError: If there is no such episode.
        """
        if self.clip is not None and self.clip.episode == episode:
            return self.clip
        if self.next is not None and self.next.episode == episode:
            clip, self.next = self.next, None
        else:
            clip = Clip(self.dataset, episode, self._limit(1))
        if self.clip is not None:
            self.clip.stop()
        self.clip = clip
        self._share()
        return clip

    def put_beside(self, episode: int | None) -> None:
        """Open an episode to show beside the other, or close it.

        Raises:
            UsageError: If there is no such episode.
        """
        if self.other is not None and self.other.episode != episode:
            self.other.stop()
            self.other = None
        if episode is not None and self.other is None:
            self.other = Clip(self.dataset, episode, self._limit(2))
        self._share()

    def prefetch(self, episode: int, cells: Mapping[str, tuple[int, int]]) -> None:
        """Decode the first pictures of an episode, in so many cells by camera.

        Raises:
            UsageError: If there is no such episode.
        """
        if any(clip.episode == episode for clip in self._held()):
            return
        clip = Clip(self.dataset, episode, LIMIT // _PREFETCHED, FIRST_PICTURES)
        if self.next is not None:
            self.next.stop()
        self.next = clip
        clip.want(0, cells)

    def close(self) -> None:
        """Let go everything, and end the threads."""
        for clip in self._held():
            clip.stop()
        for clip in self._held():
            clip.join()
        self.clip = self.other = self.next = None

    def _limit(self, n: int) -> int:
        """Return the bytes that each of `n` episodes that are shown may hold."""
        return LIMIT * (_PREFETCHED - 1) // _PREFETCHED // n

    def _share(self) -> None:
        shown = [clip for clip in (self.clip, self.other) if clip is not None]
        for clip in shown:
            clip.limit(self._limit(len(shown)), AHEAD)
