"""Strokes of least jerk and their sum."""

from __future__ import annotations

import numpy as np

from collector.teleoperators.strokes import Strokes, least_jerk


def test_a_stroke_begins_and_ends_at_rest():
    share = np.linspace(0, 1, 1001)
    way = least_jerk(share)
    speed = np.gradient(way, share)
    pull = np.gradient(speed, share)
    assert way[0] == 0
    assert way[-1] == 1
    assert np.isclose(way[500], 0.5)
    # Flash and Hogan 1985: the peak speed is 15/8 of the mean.
    assert np.isclose(speed.max(), 15 / 8, atol=1e-3)
    assert max(speed[0], speed[-1], abs(pull[0]), abs(pull[-1])) < 0.1
    np.testing.assert_array_equal(least_jerk(np.array([-1.0, 2.0])), [0.0, 1.0])


def test_strokes_add_up_where_they_overlap():
    path = Strokes([1.0, 0.0])
    assert path.to({0: 3.0}, 2.0) == 2.0
    assert path.to({0: 2.0, 1: 5.0}, 1.0, begin_s=1.5) == 2.5
    assert path.end_s == 2.5
    times_s = np.linspace(0, 3, 301)
    way = path.at(times_s)
    np.testing.assert_allclose(way[0], [1.0, 0.0])
    np.testing.assert_allclose(way[-1], [2.0, 5.0])
    alone = 1 + 2 * least_jerk(times_s / 2)
    np.testing.assert_allclose(way[times_s <= 1.5, 0], alone[times_s <= 1.5])
    both = alone - least_jerk(times_s - 1.5)
    np.testing.assert_allclose(way[:, 0], both)
    # In the overlap the hand does not stop: that is what makes it look like one motion.
    assert np.abs(np.diff(way, axis=0)).sum(axis=1)[160:240].min() > 0
