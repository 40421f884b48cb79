"""Which keys act, and for how much of a tick: steps, latches, and keys that are held."""

from __future__ import annotations

from collections.abc import Mapping

from collector.session.keystream import LEFT, RELEASE, REPEAT, Key

# A plain terminal repeats a key that is held: the first time after at most this [s], then some 30 times a second.
REPEATS_S = 0.7
# A steps' queue holds so many steps: repeats come faster than steps end, and must not run on when the key is let go.
MOST_STEPS = 2.0
# A terminal that tells of keys tells of the last one again and again while it is held. Where it tells nothing for
# this long [s] (the line is dead, the window was left), nothing is held. After a release nothing needs to repeat.
QUIET_S = 1.2
QUIET_AFTER_RELEASE_S = 5.0


class Hand:
    """The keys as a hand plays them."""

    def __init__(
        self, style: str, step_s: float, latch_s: float, opposite: Mapping[str, str], stop: str
    ) -> None:
        """Begin with nothing pressed.

        Args:
            style: `auto`, `step`, `latch` or `held`; a key of which nobody will tell the release is a step, not held.
            step_s: How long a step moves [s].
            latch_s: How long a latched key moves at most [s].
            opposite: The key that moves the other way, by key.
            stop: The key that ends every movement.
        """
        self._style, self._step_s, self._latch_s = style, step_s, latch_s
        self._opposite, self._stop = opposite, stop
        self._held: set[str] = set()
        self._left_s: dict[str, float] = {}  # of steps and latches: how long they still move
        self._pressed_s: dict[str, float] = {}  # when a key last came [s]
        self._stopped: set[str] = set()  # keys whose last press stopped the other way
        self._told_s = float("-inf")
        self._quiet_s = QUIET_S

    def take(self, key: Key, moment_s: float) -> None:
        """Take a key that came at a moment [s]."""
        if key is LEFT or key.name == self._stop:
            self.stop()
            return
        style = (
            self._style
            if self._style == "latch"
            else "step"
            if self._style == "step" or not key.told
            else "held"
        )
        if style == "held":
            self._hold(key, moment_s)
        elif key.kind != RELEASE:
            last_s = self._pressed_s.get(key.name, float("-inf"))
            again = key.kind == REPEAT or (not key.told and moment_s - last_s < REPEATS_S)
            self._pressed_s[key.name] = moment_s
            if style == "step":
                self._step(key.name)
            else:
                self._latch(key.name, again)

    def stop(self) -> None:
        """End every movement."""
        self._held.clear()
        self._left_s.clear()

    def shares(self, dt_s: float, now_s: float) -> dict[str, float]:
        """Return for each key that acts for how much of this tick it does, above 0 to 1.

        Args:
            dt_s: How long the tick is [s].
            now_s: Now [s], on the clock of the keys' moments.
        """
        if self._held and now_s - self._told_s > self._quiet_s:
            self._held.clear()
        shares = dict.fromkeys(self._held, 1.0)
        for name, left_s in list(self._left_s.items()):
            # Rest below a microsecond is rounding, no step.
            used_s = min(left_s, dt_s)
            shares[name] = used_s / dt_s if dt_s > 0 else 0.0
            self._left_s[name] = left_s - used_s
            if self._left_s[name] < 1e-6:
                del self._left_s[name]
        return shares

    def _hold(self, key: Key, moment_s: float) -> None:
        self._told_s = moment_s
        if key.kind == RELEASE:
            self._held.discard(key.name)
            self._quiet_s = QUIET_AFTER_RELEASE_S
        else:
            self._held.add(key.name)
            self._quiet_s = QUIET_S

    def _step(self, name: str) -> None:
        self._left_s.pop(self._opposite.get(name, ""), None)
        self._left_s[name] = min(self._left_s.get(name, 0.0) + self._step_s, MOST_STEPS * self._step_s)

    def _latch(self, name: str, again: bool) -> None:
        """A press of the other way stops; only the next one turns round, and no repeat of it does."""
        if again and name in self._stopped:
            return
        self._stopped.discard(name)
        if self._left_s.pop(self._opposite.get(name, ""), None) is not None:
            self._stopped.add(name)
        else:
            self._left_s[name] = self._latch_s
