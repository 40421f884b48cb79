"""Features that are learnt keep what foretells the next frame, and travel as numbers."""

import numpy as np
import pytest

from collector.dataset.feature_maps import FeatureMap
from collector.errors import DataError
from training.irl.dynamics import fit_dynamics
from training.irl.transitions import Transitions

STATE = "observation.state"
ENTRIES = {STATE: ["place", "noise"]}


@pytest.fixture(scope="module")
def learnt():
    """A point that is pushed about, and a number beside it that is drawn anew each frame."""
    rng = np.random.default_rng(0)
    push = rng.uniform(-1, 1, size=(8000, 1))
    place = np.zeros(8001)
    for t in range(8000):
        place[t + 1] = 0.9 * place[t] + 0.5 * push[t, 0]
    seen = np.stack([place, rng.normal(size=8001)], axis=1)
    flown = Transitions(seen[:-1], push, seen[1:], np.zeros(8000, bool))
    return fit_dynamics({STATE: seen}, [STATE], ENTRIES, flown, 16, 0, steps=300)


def test_they_foretell_what_can_be_foretold(learnt):
    assert learnt[1] == pytest.approx(0.5, abs=0.1)  # all of the place, nothing of the noise


def test_what_tells_nothing_of_the_next_frame_counts_less(learnt):
    at = learnt[0]({STATE: np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])})
    by_place, by_noise = (np.linalg.norm(at[i] - at[0]) for i in (1, 2))
    assert by_place > 1.5 * by_noise


def test_they_are_of_norm_1_and_are_what_was_written_down(learnt):
    wild = {STATE: 1e6 * np.random.default_rng(1).normal(size=(50, 2))}
    phi = learnt[0](wild)
    assert phi.shape == (50, 16) and np.linalg.norm(phi, axis=1) == pytest.approx(1)
    assert FeatureMap.of(learnt[0].spec(), learnt[0].arrays)(wild) == pytest.approx(phi)
    with pytest.raises(DataError, match="finite arrays"):
        FeatureMap.of(learnt[0].spec(), learnt[0].arrays | {"hidden_bias": np.full(16, np.nan)})
