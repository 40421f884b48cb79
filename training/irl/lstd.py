"""LSTD-mu: feature expectations of a policy from transitions that others flew; and LSPI, which improves one by them.

mu(s, a) = phi(s) + gamma E[mu(s', pi(s'))] is a value function for each feature. With mu(s, a) = Theta' psi(s, a) it is
found as values are (Klein, Geist & Pietquin 2011, "Batch, Off-policy and Model-free Apprenticeship Learning", section
3.1; for values Bradtke & Barto 1996, Lagoudakis & Parr 2003):

    A Theta = B,  A = sum psi (psi - gamma psi')',  B = sum psi phi',  psi' = psi(s', pi(s')).

For discrete actions; psi(s, a) is phi(s), with a constant, in the block of the action a.
"""

from __future__ import annotations

import numpy as np

from collector.errors import DataError
from training.irl.expectations import Expectations

_Q = "q"  # the policy's one array: Q = q . psi, and the greedy action is taken
_ROUNDS = 30  # of policy iteration
_SETTLED = 0.005  # share of the actions that may still change
_MOST = 20.0  # times the greatest return there is, beyond which values are those of no policy


def lstd_mu(psi: np.ndarray, ahead: np.ndarray, phi: np.ndarray, discount: float, ridge: float) -> np.ndarray:
    """Return Theta, (n_psi, n_features), so that mu(s, a) = psi(s, a) @ Theta.

    Args:
        psi: Of the transitions, (n, n_psi).
        ahead: psi(s', pi(s')), 0 where nothing comes behind, (n, n_psi).
        phi: Of the transitions' states, (n, n_features).
        discount: gamma.
        ridge: Added to A's diagonal, in shares of its mean.

    Raises:
        DataError: If the system has no solution.
    """
    a = psi.T @ (psi - discount * ahead) / len(psi)
    a += ridge * float(np.trace(psi.T @ psi)) / len(psi) / len(a) * np.eye(len(a))
    try:
        theta = np.linalg.solve(a, psi.T @ phi / len(psi))
    except np.linalg.LinAlgError:
        theta = np.full((len(a), phi.shape[1]), np.nan)
    if not np.isfinite(theta).all():
        raise DataError(
            f"LSTD has no solution from {len(psi)} transitions and {len(a)} features: raise --irl.ridge (now {ridge}), "
            "lower --irl.n_features, or add flights by --dataset.coverage_filter"
        )
    return theta


class LspiLearner:
    """Apprenticeship's inner learner for discrete actions: LSPI to improve a policy, LSTD-mu to measure it."""

    def __init__(
        self,
        phi: np.ndarray,
        now: np.ndarray,
        action: np.ndarray,
        ended: np.ndarray,
        starts: np.ndarray,
        n_actions: int,
        names: tuple[str, ...],
        discount: float,
        ridge: float,
    ) -> None:
        """Take the transitions.

        Args:
            phi: Features of every frame, (n_frames, n_features).
            now: Frames that a transition begins in, int64, (n,); it leads to the frame behind.
            action: What was done there, int64, (n,).
            ended: Whether the flight ended with it, bool, (n,): it then stays in the frame behind for good.
            starts: Frames that the expert's flights begin in, int64.
            n_actions: Number of actions.
            names: Of the features.
            discount: gamma.
            ridge: As in `lstd_mu`.
        """
        self.names, self._discount, self._ridge, self._n_actions = names, discount, ridge, n_actions
        base = np.concatenate([phi, np.full((len(phi), 1), 1.0)], axis=1)
        self._base, self._starts, self._after, self._ended = base, base[starts], base[now + 1], ended
        self._psi = self._blocks(base[now], action)
        # What comes behind an end is the last frame's features for good.
        self._rewarded = phi[now] + discount / (1 - discount) * ended[:, None] * phi[now + 1]
        self._phi = phi

    def _blocks(self, base: np.ndarray, action: np.ndarray) -> np.ndarray:
        psi = np.zeros((len(base), self._n_actions, base.shape[1]))
        psi[np.arange(len(base)), action] = base
        return psi.reshape(len(base), -1)

    def act(self, policy: dict[str, np.ndarray], base: np.ndarray) -> np.ndarray:
        """Return greedy actions, int64, (n,), of states' features with a 1 behind them, (n, n_features + 1)."""
        return (base @ policy[_Q].reshape(self._n_actions, -1).T).argmax(axis=1)

    def first(self, seed: int) -> dict[str, np.ndarray]:
        """Return a policy whose Q is drawn by chance."""
        return {_Q: np.random.default_rng(seed).normal(size=self._psi.shape[1])}

    def improve(self, weights: np.ndarray, last: dict[str, np.ndarray], seed: int) -> dict[str, np.ndarray]:
        """Return the policy that LSPI settles on (Lagoudakis & Parr 2003, fig. 8); nothing is drawn.

        Raises:
            DataError: If its values are beyond what any policy can reach.
        """
        reward = (self._rewarded @ weights)[:, None]
        policy, before = last, self.act(last, self._after)
        for _ in range(_ROUNDS):
            q = lstd_mu(self._psi, self._ahead(before), reward, self._discount, self._ridge)[:, 0]
            policy = {_Q: q}
            reached = float(np.abs(self._psi @ q).max())
            if not reached <= _MOST / (1 - self._discount):
                raise DataError(
                    f"the inner learner is unstable: values reach {reached:.3g}, rewards within 1 give at most "
                    f"{1 / (1 - self._discount):.3g}; raise --irl.ridge (now {self._ridge}), lower --irl.discount "
                    f"({self._discount}) or --irl.n_features, or add flights by --dataset.coverage_filter"
                )
            after = self.act(policy, self._after)
            if (after != before).mean() <= _SETTLED:
                break
            before = after
        return policy

    def _ahead(self, action: np.ndarray) -> np.ndarray:
        return self._blocks(self._after, action) * ~self._ended[:, None]

    def expectations(self, policy: dict[str, np.ndarray], seed: int) -> Expectations:
        """Return a policy's expectations by LSTD-mu, the mean over the expert's starts; nothing is drawn."""
        ahead = self._ahead(self.act(policy, self._after))
        theta = lstd_mu(self._psi, ahead, self._rewarded, self._discount, self._ridge)
        sums = self._blocks(self._starts, self.act(policy, self._starts)) @ theta
        # An estimate may lie outside of what features of norm 1 can sum to: it is drawn back to it.
        longest = np.linalg.norm(sums, axis=1, keepdims=True) * (1 - self._discount)
        sums = sums / np.maximum(longest, 1.0)
        spread = sums.var(axis=0, ddof=1).sum() if len(sums) > 1 else np.nan
        return Expectations(
            sums.mean(axis=0), self._discount, len(sums), 0.0, float(np.sqrt(spread / len(sums)))
        )
