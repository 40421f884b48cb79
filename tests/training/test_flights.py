"""Flights from worker processes: in the seeds' order whoever lands first, and none begun that nobody waits for."""

from __future__ import annotations

import contextlib
import os
from functools import partial

import pytest
from rigs.commands import wait_until

from collector.errors import DeviceError
from training.flights import in_order


def land_after_the_next(folder, seed):
    """Seed 0 lands only when seed 1 has, and everyone knows."""
    wait_until(lambda: seed != 0 or (folder / "known").exists(), "seed 1 has landed")
    (folder / str(seed)).touch()
    return {"seed": seed, "success": seed % 2 == 0}


def die(seed):
    os._exit(1)


def test_flights_come_in_the_order_of_the_seeds_not_of_landing(tmp_path):
    landed = []

    def note(done):
        landed.append(set(done))
        if 1 in done:
            (tmp_path / "known").touch()

    flown = in_order(partial(land_after_the_next, tmp_path), [0, 1, 7, 3], 2, note)
    assert [flight["seed"] for flight in flown] == [0, 1, 7, 3]
    assert 0 not in landed[0]
    assert landed[-1] == {0, 1, 3, 7}


def test_who_has_seen_enough_waits_for_what_is_in_the_air_and_no_more(tmp_path):
    seeds, done = list(range(1, 40)), {}
    with contextlib.closing(in_order(partial(land_after_the_next, tmp_path), seeds, 1, done.update)) as flown:
        assert next(flown)["seed"] == 1
    begun = {int(file.name) for file in tmp_path.iterdir()}
    assert 1 in begun
    assert len(begun) <= 4
    assert set(done) == begun


def test_a_process_that_dies_is_one_sentence():
    with pytest.raises(DeviceError, match=r"died after 0 of 3 flights .* --workers=1"):
        list(in_order(die, [1, 2, 3], 1))
