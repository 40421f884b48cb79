"""Spikes: single values that leave the path and come back."""

from __future__ import annotations

import numpy as np

from curation.checks.base import Check, Episode, Measure, Reference, Rule, joint_name, skip


def deviation(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return |x - medfilt7(x)| in shares of the range, (n_frames, dim).

    A running median of 7 keeps ramps and steps and takes out excursions of up to 3 frames; what it takes
    out is the spike. At the ends the window is reflected.
    """
    from scipy.ndimage import median_filter

    return np.abs(values - median_filter(values, size=(7, 1), mode="nearest")) / scale


def _measure(values: np.ndarray, scale: np.ndarray, names: list[str], what: str) -> Measure:
    if len(values) < 7 or values.shape[1] == 0:
        return skip(f"fewer than 7 frames or no {what}")
    share = deviation(values, scale)
    t, j = np.unravel_index(int(np.argmax(share)), share.shape)
    return Measure(
        100 * float(share[t, j]),
        (max(0, int(t) - 1), min(len(values), int(t) + 2)),
        f"spike of the {what} {joint_name(names, int(j))}",
    )


def measure_action(episode: Episode, reference: Reference) -> Measure:
    """Score max |a - medfilt7(a)| over frames and entries, in % of the entry's range over the set."""
    return _measure(episode.action, reference.action_scale, reference.action_names, "action")


def measure_state(episode: Episode, reference: Reference) -> Measure:
    """Score max |s - medfilt7(s)| likewise: an encoder or bus error."""
    return _measure(episode.state, reference.state_scale, reference.state_names, "state")


# Fast flights have larger deviations in every episode: the spread is never taken under a third of the median.
_RULE = Rule(fault=6, warn=4, floor=0.7, rel=0.35, at_least=5)
ACTION = Check("glitch", "% of the range", "spike of an action", measure_action, _RULE)
STATE = Check("state_glitch", "% of the range", "spike of a measured joint", measure_state, _RULE)
