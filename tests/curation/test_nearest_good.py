"""The nearest good episode: by the path that the checks compare, among those that are good."""

import numpy as np
import pytest
from synthetic_arm import flight, inject

from collector.dataset.reader import Dataset
from curation.checks.base import Finding
from curation.nearest_good import Paths, good_episodes


def test_good_is_who_is_kept_and_who_is_not_accused():
    labels = {1: {"verdict": "keep"}, 2: {"verdict": "drop"}, 3: {"note": "hm"}}
    findings = [Finding(e, "spike", "warn", 0, 1, 1.0, 0.5, "") for e in (1, 3, 4)]
    assert good_episodes(6, labels, findings).tolist() == [True, True, False, False, False, True]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    from arm_dataset import record

    # Episode 4 is episode 1 again, with a spike; 5 stands still.
    flights = [flight(seed) for seed in range(4)]
    flights += [inject({k: v.copy() for k, v in flights[1].items()}, "spike", 4)]
    root = record(tmp_path_factory.mktemp("nearest") / "arm", flights)
    return Dataset.open(root), Paths.of(Dataset.open(root))


def test_the_nearest_is_the_same_flight_where_it_went_well(paths):
    _, one = paths
    everybody = np.ones(5, bool)
    assert one.nearest(4, everybody) == 1 and one.nearest(1, everybody) == 4
    assert one.nearest(1, np.array([True, True, True, True, False])) not in (None, 1, 4)
    assert one.nearest(4, everybody, besides=[1]) != 1
    assert one.nearest(0, np.zeros(5, bool)) is None
    assert one.nearest(0, np.array([True, False, False, False, False])) is None  # never its own


def test_paths_are_kept_and_computed_anew_when_the_data_is_another(paths):
    dataset, one = paths
    kept = list((dataset.root / "curation/.cache/paths").glob("*.npz"))
    assert len(kept) == 1
    before = kept[0].stat().st_mtime_ns
    np.testing.assert_array_equal(Paths.of(dataset).points, one.points)
    assert kept[0].stat().st_mtime_ns == before
    kept[0].write_bytes(b"no arrays")
    np.testing.assert_array_equal(Paths.of(dataset).points, one.points)


def test_episodes_without_a_path_have_no_neighbour_and_are_none():
    points = np.array([[0.0, 0.0], [np.nan, np.nan], [3.0, 4.0], [1.0, 0.0]])
    one = Paths(points)
    everybody = np.ones(4, bool)
    assert one.nearest(1, everybody) is None
    assert [one.nearest(e, everybody) for e in (0, 2, 3)] == [3, 3, 0]
    assert Paths(np.empty((3, 0))).nearest(0, np.ones(3, bool)) is None


def test_the_nearest_of_many_is_found():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3000, 12))
    good = rng.random(3000) < 0.5
    one = Paths(points)
    for episode in range(0, 3000, 500):
        apart = np.where(good, np.linalg.norm(points - points[episode], axis=1), np.inf)
        apart[episode] = np.inf
        assert one.nearest(episode, good) == int(apart.argmin())
