"""The map over pieces of work: every engine gives the same, in any order, and says what is missing."""

import importlib.util
import json
import math
import os
import shutil

import pytest

from collector.errors import DemodeckError, UsageError
from curation.engines import Engine, each

DAFT = importlib.util.find_spec("daft") is not None
needs_daft = pytest.mark.skipif(not DAFT, reason="the extra 'scale' is not installed")


def test_all_pieces_are_done_once_whatever_the_number_of_processes():
    expected = {i: math.sqrt(i) for i in range(23)}
    for jobs in (1, 3):
        found = list(each(math.sqrt, iter(range(23)), jobs))
        assert len(found) == 23 and dict(found) == expected


def test_pieces_are_taken_as_they_are_needed():
    taken = []
    results = each(math.sqrt, (taken.append(i) or i for i in range(1000)), 2)
    next(results)
    assert len(taken) < 20
    results.close()


def test_a_killed_process_is_one_line():
    with pytest.raises(DemodeckError, match="was killed"):
        list(each(os._exit, [9], 2))


def test_an_error_in_a_process_is_the_callers():
    with pytest.raises(ValueError, match="math domain"):
        list(each(math.sqrt, [1, -1], 2))


@pytest.mark.skipif(DAFT, reason="the extra 'scale' is installed")
def test_daft_that_is_not_installed_is_one_line(arm, refuses):
    refuses("score", "arm", "--engine=daft", words=["demodeck[scale]"], code=2)


def test_an_address_belongs_to_daft(arm, refuses):
    refuses("score", "arm", "--engine.address=local", words=["--engine=daft"], code=2)
    with pytest.raises(UsageError, match="processes, daft"):
        list(each(math.sqrt, [1], 1, Engine("spark")))


@needs_daft
@pytest.mark.parametrize("address", ["", "local"])
@pytest.mark.parametrize("video", [False, True])
def test_daft_finds_what_processes_find(arm, demodeck, address, video):
    if address:
        pytest.importorskip("ray")
    flags = ["--video"] if video else []
    code, expected, _ = demodeck("score", "arm", "--json", *flags)
    assert code == 0
    shutil.rmtree(arm / "curation")
    at = [f"--engine.address={address}"] if address else []
    code, found, err = demodeck("score", "arm", "--json", "--engine=daft", *at, *flags, timeout=600)
    assert code == 0, err
    assert json.loads(found) == json.loads(expected)
