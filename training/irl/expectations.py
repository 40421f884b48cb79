"""Feature expectations: what a policy's features sum to, discounted; and what sampling and truncation cost.

Equation numbers are those of Abbeel & Ng 2004, "Apprenticeship Learning via Inverse Reinforcement Learning", ICML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collector.errors import DataError, UsageError

_ROUNDING = 1e-6  # float32 features of norm 1 may be longer by this


@dataclass(frozen=True)
class Expectations:
    """mu(pi) = E[sum_t gamma^t phi(s_t) | pi] (eq. 4), or its estimate from flights (eq. 5).

    Attributes:
        mean: mu, float64, (n_features,).
        discount: gamma.
        n_episodes: Flights that it was estimated from; 0 where it was computed from the model.
        truncation: The most that `mean` is wrong by, as a norm, because flights were cut off, in the mean over them:
            gamma^T / (1 - gamma) for a flight cut after T frames, as ||phi|| <= 1; 0 for one that really ended.
        sampling_error: Root of the expected ||mean - mu||^2, from the flights' spread; 0 where computed, NaN where
            a single flight tells of no spread.
    """

    mean: np.ndarray
    discount: float
    n_episodes: int = 0
    truncation: float = 0.0
    sampling_error: float = 0.0

    @property
    def norm(self) -> float:
        """||mu||, what distances are given in shares of."""
        return float(np.linalg.norm(self.mean))

    def check(self, what: str) -> None:
        """Check that the features can have been bounded.

        Args:
            what: Whose expectations these are, for the message.

        Raises:
            DataError: If mu holds NaN or infinity, or is longer than any features of norm 1 can sum to.
        """
        if not np.isfinite(self.mean).all():
            raise DataError(
                f"the feature expectations of {what} hold NaN or infinity: its flights diverge or a feature is not "
                "bounded; clip the features or let an episode end where they leave their range"
            )
        if self.norm > (1 + _ROUNDING) / (1 - self.discount):
            raise DataError(
                f"the feature expectations of {what} have norm {self.norm:.4g}, features of norm 1 give at most "
                f"{1 / (1 - self.discount):.4g}: divide the features by their greatest norm"
            )


def check_discount(discount: float) -> None:
    """Check gamma.

    Raises:
        UsageError: If it is not at least 0 and below 1.
    """
    if not 0 <= discount < 1:
        raise UsageError(f"discount {discount}: it must be at least 0 and below 1, or sums over time diverge")


def estimate(
    episodes: Sequence[np.ndarray],
    discount: float,
    ended: Sequence[bool] | None = None,
    complete: bool = False,
) -> Expectations:
    """Estimate feature expectations from flights: mean_i sum_t gamma^t phi(s_t^i) (eq. 5).

    Args:
        episodes: The features of each flight's frames, (n_frames, n_features) each, ||phi|| <= 1.
        discount: gamma.
        ended: Whether each flight really ended, so that nothing comes behind it; None where all were cut off.
        complete: Take what a cut-off flight lacks to be like what was seen of it, and divide its sum by 1 - gamma^T.
            Else every feature looks rarer than it is, and the reward learns to flee them all. The bound doubles.

    Raises:
        UsageError: If there is no flight, or gamma is not within [0, 1).
        DataError: If a flight is empty, a feature is NaN or infinite, or a frame's features are longer than 1.
    """
    check_discount(discount)
    if not episodes:
        raise UsageError("no expert: apprenticeship learning needs at least one demonstration")
    sums, bounds = [], []
    for number, features in enumerate(episodes):
        if len(features) == 0:
            raise DataError(f"demonstration {number} has no frame: leave it out")
        check_bounded(features, f"demonstration {number}")
        left = 0.0 if ended is not None and ended[number] else discount ** len(features)
        total = discount ** np.arange(len(features)) @ np.asarray(features, float)
        sums.append(total / (1 - left) if complete else total)
        bounds.append((2 if complete else 1) * left / (1 - discount))
    each = np.array(sums)
    variance = each.var(axis=0, ddof=1).sum() if len(each) > 1 else np.nan
    return Expectations(
        mean=each.mean(axis=0),
        discount=discount,
        n_episodes=len(each),
        truncation=float(np.mean(bounds)),
        sampling_error=float(np.sqrt(variance / len(each))),
    )


def check_bounded(features: np.ndarray, what: str) -> None:
    """Check ||phi||_2 <= 1, which the margin, the rate of convergence (theorem 1) and the rewards' range rest on.

    Args:
        features: (n, n_features).
        what: Whose features, for the message.

    Raises:
        DataError: If a feature is NaN or infinite, or a row is longer than 1.
    """
    longest = float(np.linalg.norm(features, axis=-1).max())
    if not np.isfinite(longest):
        raise DataError(f"the features of {what} hold NaN or infinity: they must be numbers")
    if longest > 1 + _ROUNDING:
        raise DataError(
            f"the features of {what} reach norm {longest:.4g}, allowed is 1: divide them by their greatest norm"
        )


def bounded(features: np.ndarray) -> tuple[np.ndarray, float]:
    """Scale a table of features so that no row is longer than 1.

    Args:
        features: Of every state there is, (n_states, n_features).

    Returns:
        The table, float64, and what it was divided by (1 where it fitted).

    Raises:
        DataError: If a feature is NaN or infinite.
    """
    table = np.asarray(features, float)
    longest = float(np.linalg.norm(table, axis=-1).max())
    if not np.isfinite(longest):
        raise DataError("the table of features holds NaN or infinity: they must be numbers")
    scale = max(1.0, longest)
    return table / scale, scale
