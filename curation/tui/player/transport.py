"""Which frame is due: a clock that plays, pauses, jumps and goes round, told the time by who asks."""

from __future__ import annotations

SPEEDS = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_LONGEST_S = 1.0  # between two looks: after a longer one (a stalled terminal) it goes on where it stood


class Transport:
    """Where an episode is played. All times are of one monotonic clock [s].

    Args:
        length: Frames of the episode, at least 1.
        fps: Its frames a second [Hz].

    Attributes:
        frame: The frame of the last look.
        playing: Whether time moves it.
        speed: Of `SPEEDS`.
        loop: Frames [first, last) that it goes round in; None without.
    """

    def __init__(self, length: int, fps: float, speed: float = 1.0) -> None:
        self.length, self.fps = length, fps
        self.frame, self.playing, self.speed = 0, False, speed
        self.loop: tuple[int, int] | None = None
        self._from_frame, self._from_s, self._looked_s = 0, 0.0, 0.0

    def look(self, now_s: float) -> int:
        """Return the frame that is due now; at the episode's end it pauses."""
        if not self.playing:
            return self.frame
        if now_s - self._looked_s > _LONGEST_S:
            self._anchor(now_s)
        self._looked_s = now_s
        # A due time computed twice must not fall on either side of a whole number.
        due = self._from_frame + int((now_s - self._from_s) * self.speed * self.fps + 1e-6)
        if self.loop is not None:
            first, last = self.loop
            self.frame = first + (due - first) % (last - first) if due >= last else due
        else:
            self.frame = min(due, self.length - 1)
            self.playing = due < self.length - 1
        return self.frame

    def play(self, now_s: float) -> None:
        """Go on; from the end, from the beginning."""
        if self.loop is not None and not self.loop[0] <= self.frame < self.loop[1]:
            self.frame = self.loop[0]
        elif self.loop is None and self.frame >= self.length - 1:
            self.frame = 0
        self.playing = True
        self._anchor(now_s)

    def pause(self) -> None:
        """Stand where the last look was."""
        self.playing = False

    def go(self, frame: int, now_s: float) -> None:
        """Jump to a frame, or the nearest there is; outside a loop, the loop is over."""
        self.frame = min(max(0, frame), self.length - 1)
        if self.loop is not None and not self.loop[0] <= self.frame < self.loop[1]:
            self.loop = None
        self._anchor(now_s)

    def faster(self, steps: int, now_s: float) -> None:
        """Take a speed so many further, or the last there is."""
        at = SPEEDS.index(self.speed) + steps
        self.speed = SPEEDS[min(max(0, at), len(SPEEDS) - 1)]
        self._anchor(now_s)

    def round(self, first: int, last: int, now_s: float) -> None:
        """Go round in the frames [first, last)."""
        self.loop = first, last
        if not first <= self.frame < last:
            self.frame = first
        self._anchor(now_s)

    def _anchor(self, now_s: float) -> None:
        self._from_frame, self._from_s, self._looked_s = self.frame, now_s, now_s


def share(frame: int, length: int, other: int) -> int:
    """Return the frame of another episode, of `other` frames, at the same share of its time."""
    return round(frame * (other - 1) / max(1, length - 1)) if length > 1 else 0
