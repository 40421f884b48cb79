"""The arena of PushT: people's flights from a dataset, a search around them, and a judge of each flight."""

import numpy as np
import pytest

from collector.errors import UsageError
from collector.robots.sim_pusht.task import PushTTask
from training.irl.apprenticeship import Settings
from training.irl.arenas import pusht_arena
from training.irl.search import SearchSettings
from training.irl.simulated import Schedule
from training.irl.trial import trial


@pytest.fixture(scope="module")
def people(write_dataset, tmp_path_factory):
    """Random motion with the names of PushT."""
    root = tmp_path_factory.mktemp("people") / "dataset"
    return write_dataset(root, (9, 6), ["agent_x", "agent_y"], tuple(PushTTask.environment_state_names))


def test_search_flies_pusht_from_where_people_began(people):
    arena = pusht_arena(2, 0, people, seconds=0.4, copies=2)
    assert sorted(len(flight) for flight in arena.shown.observations) == [6, 9]
    search = SearchSettings(
        starts=4, flights=8, measured=2, fit_steps=5, hidden_dim=8, horizon=2, n_action_steps=1
    )
    settings = Settings(iterations=1, epsilon=1e-9)
    found, policy = trial(
        arena, "apprenticeship", "search", Schedule(clone=True), arena.rl, settings, 3, search=search
    )
    assert len(found["flights"]) == 3 and all(0 <= worth < 1 for worth in found["flights"])
    assert found["best"] == pytest.approx(np.mean(found["flights"]))
    assert found["frames"] >= 2 * 2 * arena.make_world(1).frames and found["iterations"] == 1
    assert policy["action.high"].tolist() == [512.0, 512.0]
    cloned, _ = trial(arena, "bc", "", Schedule(), arena.rl, settings, 3, search=search)
    assert cloned["frames"] == 0 and np.isfinite(cloned["distance"])


def test_more_flights_than_there_are_cannot_be_shown(people):
    with pytest.raises(UsageError, match="has 2"):
        pusht_arena(3, 0, people)
