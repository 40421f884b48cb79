"""The power fails after any sync: what was saved opens in plain lerobot, what was synced of a flight is recovered."""

import shutil
import sys

import numpy as np
import pytest
from flown import FPS, H264, fly
from power_cut import Disk
from test_dataset_faults import FEATURES, check

from collector.dataset.journal import JournalWriter, list_journals
from collector.dataset.writer import DatasetWriter

FLIGHTS = [
    fly(seed, n, FEATURES, task) for seed, n, task in [(0, 12, "pick"), (1, 9, "pick"), (2, 14, "place")]
]


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.skipif(sys.platform != "linux", reason="looks descriptors up in /proc")
def test_the_power_fails_after_any_sync(tmp_path):
    root = tmp_path / "disk" / "set"
    writer = DatasetWriter.create(root, fps=FPS, features=FEATURES)
    saved, synced = 0, 0  # episodes, and ticks of the running flight, that must survive
    left: list[tuple[int, int]] = []

    def cut() -> None:
        for kind in ("lazy", "eager"):
            case = tmp_path / "cases" / f"{len(left)}-{kind}"
            getattr(disk, f"leave_{kind}")(case)
        left.append((saved, synced))

    with Disk(root, cut) as disk:
        for flight in FLIGHTS:
            folder = root / ".journal" / flight.header["flight_id"]
            journal = JournalWriter(folder, flight.header, FEATURES, FPS, H264, sync_every_s=3600)
            for k in range(len(flight)):
                columns = {name: values[k] for name, values in flight.columns.items()}
                journal.add(columns, {name: values[k] for name, values in flight.images.items()})
                if k % 4 == 3:
                    journal.flush()
                    journal._syncer.sync()
                    synced = k  # the container holds one picture back
            journal.close(flight.end)
            synced = len(flight)
            writer.save(folder)
            saved, synced = saved + 1, 0
        writer.close()
    assert len(left) > 80
    for number, (saved, synced) in enumerate(left):
        for kind in ("lazy", "eager"):
            case = tmp_path / "cases" / f"{number}-{kind}"
            opened = check(case, FLIGHTS, at_least=saved) if saved else 0
            again = DatasetWriter.open(case)
            for folder in list_journals(case):
                try:
                    again.save(folder)
                except Exception as error:
                    assert "no whole frame" in str(error)
                    assert synced == 0
            again.close()
            lengths = again._episodes["length"].to_pylist() if again.num_episodes else []
            assert len(lengths) >= max(saved, opened)
            assert lengths[:saved] == [len(flight) for flight in FLIGHTS[:saved]]
            if synced:
                assert len(lengths) == saved + 1, f"{kind} {number}: the flight in the air is gone"
                assert lengths[-1] >= synced, f"{kind} {number}: {lengths[-1]} of {synced} ticks"
            if lengths:
                check(case, [part(flight, n) for flight, n in zip(FLIGHTS, lengths)], at_least=len(lengths))
            shutil.rmtree(case)


def part(flight, n):
    """Return the first n ticks of a flight."""
    return type(flight)(
        {name: values[:n] for name, values in flight.columns.items()},
        {name: np.asarray(values[:n]) for name, values in flight.images.items()},
        flight.header,
        flight.end,
    )
