"""Datasets on the Hub, opened by name: only what a command needs is downloaded, by a real client from a real server."""

import json
import shutil
import time

import pytest
from arm_dataset import FAULTY

from collector.dataset.reader import Dataset


@pytest.fixture
def published(start_demodeck, command_env, arm, tmp_path, monkeypatch, demodeck):
    """The set as `ann/arm` on a running Hub, and no longer on this machine."""
    address = tmp_path / "address"
    process = start_demodeck(
        "hub", "serve", "--root", tmp_path / "hub", "--port", 0, "--address-file", address
    )
    while not address.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    monkeypatch.setenv("HF_ENDPOINT", address.read_text().strip())
    command_env["HF_ENDPOINT"] = address.read_text().strip()
    code, _, err = demodeck("publish", "arm", "--repo-id", "ann/arm")
    assert code == 0, err
    kept = shutil.move(arm, tmp_path / "elsewhere")
    return tmp_path / "hf-home" / "lerobot" / "ann" / "arm", kept


def suffixes(folder):
    return {p.suffix for p in folder.rglob("*") if p.is_file() and ".cache" not in p.parts}


def faulty(out):
    return set(json.loads(out)["faulty"])


def test_score_downloads_tables_and_only_for_pictures_the_videos(published, demodeck):
    folder, kept = published
    code, out, err = demodeck("score", "ann/arm", "--json")
    assert code == 0 and faulty(out) == set(FAULTY), err
    assert "its tables" in err and ".mp4" not in suffixes(folder) and ".parquet" in suffixes(folder)
    assert json.loads(out)["structure"][0].startswith("videos/ is not on this machine")
    code, out, err = demodeck("score", "ann/arm", "--json")
    assert code == 0 and "fetching" not in err
    code, out, err = demodeck("score", "ann/arm", "--video", "--json")
    assert code == 0 and "its videos" in err, err
    assert not any("videos/" in line for line in json.loads(out)["structure"])
    assert json.loads(out)["checks"]["video_broken"] == {"faults": [], "warnings": [], "not_evaluated": None}
    for path in kept.rglob("*.mp4"):
        assert (folder / path.relative_to(kept)).read_bytes() == path.read_bytes()


def test_query_downloads_tables_and_an_interrupted_download_is_finished(published, demodeck):
    folder, _ = published
    code, out, err = demodeck("query", "ann/arm", "episode_index < 2", "--columns", "episode_index", "--json")
    assert code == 0 and json.loads(out) == [{"episode_index": 0}, {"episode_index": 1}], err
    assert ".mp4" not in suffixes(folder)
    Dataset.open(folder).data_files[0].unlink()
    code, out, err = demodeck("query", "ann/arm", "episode_index < 2", "--json")
    assert code == 0 and "fetching its tables" in err


def test_labels_stay_beside_what_was_downloaded(published, demodeck):
    demodeck("query", "ann/arm")
    code, _, err = demodeck("label", "ann/arm", "3", "--verdict", "drop", "--author", "ann")
    assert code == 0, err
    code, out, _ = demodeck("query", "ann/arm", "verdict = 'drop'", "--columns", "episode_index", "--json")
    assert json.loads(out) == [{"episode_index": 3}]


def test_a_name_that_is_nowhere_is_one_line(published, demodeck):
    code, out, err = demodeck("score", "ann/other")
    assert code == 5 and out == "" and len(err.splitlines()) == 1
    assert "no dataset 'ann/other' on this machine" in err and "does not exist" in err


def test_the_review_room_fetches_the_videos_of_an_episode_when_it_is_looked_at(
    published, curate, monkeypatch
):
    import asyncio

    from collector.dataset.labels import Labels
    from curation.remote import missing_videos, open_by_name
    from curation.room import Room
    from curation.tui.app import ReviewApp

    folder, _ = published
    monkeypatch.setenv("HF_HOME", str(folder.parents[2]))
    code, out, err = curate("review", "ann/arm", "--json")
    assert code == 0 and len(json.loads(out)["queue"]) == 14, err
    app = ReviewApp(Room(open_by_name("ann/arm"), "ann"))
    assert missing_videos(app.room.dataset)

    async def main():
        async with app.run_test(size=(120, 30)) as pilot:
            for _ in range(1500):
                if app.player.length and not missing_videos(app.room.dataset, [0]):
                    break
                await pilot.pause(0.02)
            await pilot.press("d")
        assert app.ledger.close() == []

    asyncio.run(main())
    assert not missing_videos(app.room.dataset, [0])
    assert Labels(folder).current() == {0: {"verdict": "drop"}}
