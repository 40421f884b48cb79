"""The inner learner of apprenticeship learning without a simulator: it solves for a reward within the flights."""

from __future__ import annotations

import numpy as np

from training.irl.expectations import Expectations
from training.irl.neighbours import Choice, NeighbourMdp

AFTER, APART = "after", "apart"  # a policy's arrays, as in `Choice`
_WIDE = 3.0  # standard deviations beyond which states are taken for equal


def comparable(table: np.ndarray) -> np.ndarray:
    """Return states in standard deviations, clipped, so that no entry outweighs the others, (n_frames, dim)."""
    spread = table.std(axis=0)
    alive = spread > 1e-9 * np.maximum(np.abs(table).max(axis=0), 1e-9)
    return np.clip((table[:, alive] - table[:, alive].mean(axis=0)) / spread[alive], -_WIDE, _WIDE)


class FlightsLearner:
    """Solves `NeighbourMdp`; policies begin where the expert's flights began."""

    def __init__(
        self,
        mdp: NeighbourMdp,
        phi: np.ndarray,
        names: tuple[str, ...],
        starts: np.ndarray,
        coverage: np.ndarray,
        price: float,
    ) -> None:
        """Take what the flights gave.

        Args:
            mdp: Frames and the ways between them.
            phi: Features of every frame, (n_frames, n_features).
            names: Of the features.
            starts: First frames of the expert's flights, int64.
            coverage: Frames of the others, int64; none where there are none.
            price: Of taking an action from a typical distance away, in standard deviations of the reward.
        """
        self.mdp, self.phi, self.names, self.starts, self.coverage = mdp, phi, names, starts, coverage
        self._price = price

    def first(self, seed: int) -> dict[str, np.ndarray]:
        """Return pi_0: to do as the others did, or, where there are none, as neighbours drawn by chance."""
        choice = self.mdp.like(self.coverage) if len(self.coverage) else self.mdp.drawn(seed)
        return {AFTER: choice.after, APART: choice.apart}

    def improve(self, weights: np.ndarray, last: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
        """Return an optimal policy; nothing is drawn."""
        reward = self.phi @ weights
        choice, _ = self.mdp.solve(reward, self.price(reward), Choice(last[AFTER], last[APART]))
        return {AFTER: choice.after, APART: choice.apart}

    def expectations(self, policy: dict[str, np.ndarray], seed: int) -> Expectations:
        """Return a policy's expectations from the expert's starts, exactly in this process; nothing is drawn."""
        sums = self.mdp.sums(Choice(policy[AFTER], policy[APART]), self.starts, self.phi)
        spread = sums.var(axis=0, ddof=1).sum() if len(sums) > 1 else np.nan
        return Expectations(
            sums.mean(axis=0), self.mdp.discount, len(sums), 0.0, float(np.sqrt(spread / len(sums)))
        )

    def price(self, reward: np.ndarray) -> float:
        """Return the price of a typical distance for a reward, in its units."""
        return self._price * float(reward.std())

    def advantages(self, weights: np.ndarray, policy: dict[str, np.ndarray]) -> np.ndarray:
        """Return A <= 0, (n_frames,): how much less than the best it is worth to go on to the end as was done.

        Of one step alone hardly anything would be seen: from most frames of a bad flight a good one is still in reach.
        """
        reward = self.phi @ weights
        price = self.price(reward)
        _, best = self.mdp.solve(reward, price, Choice(policy[AFTER], policy[APART]))
        return np.minimum(self.mdp.value(self.mdp.done(), reward, price) - best, 0.0)
