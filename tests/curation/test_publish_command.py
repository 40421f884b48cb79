"""`demodeck publish` against a real Hub of our own: an exact mirror, its card, its tags."""

import json
import os
import shutil
import subprocess
import sys

import yaml
from arm_dataset import CAMERA, N_EPISODES

from collector.dataset.reader import Dataset

LEROBOT = """
import json, sys
from lerobot.datasets.lerobot_dataset import LeRobotDataset
camera = sys.argv[1]
folder = LeRobotDataset("x/y", root="good", video_backend="pyav")
named = LeRobotDataset("ann/arm", video_backend="pyav")
seen = []
for dataset in (folder, named):
    item = dataset[len(dataset) - 1]
    shape, episode = list(item[camera].shape), int(item["episode_index"])
    seen.append([dataset.num_episodes, len(dataset), shape, episode, item["task"]])
same = all(bool((a[k] == b[k]).all()) for a, b in [(folder[7], named[7])] for k in (camera, "action"))
print(json.dumps([*seen, same]))
"""


def published(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not {".journal", ".cache"} & set(path.parts)
    }


def remote(hub, repo_id, revision, tmp_path):
    folder = tmp_path / f"pulled-{revision[:8]}"
    hub.snapshot_download(repo_id, repo_type="dataset", revision=revision, local_dir=folder)
    shutil.rmtree(folder / ".cache")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_publish_edit_and_publish_again(arm, hub, curate, demodeck, tmp_path):
    curate("score", "arm", "--drop-faults")
    (arm / ".journal" / "unfinished").mkdir(parents=True, exist_ok=True)
    (arm / ".journal" / "unfinished" / "header.json").write_text("{}")

    code, out, _ = demodeck("publish", "arm", "--repo-id", "ann/arm", "--tag", "first", "--json")
    first = json.loads(out)
    assert code == 0 and first["deleted"] == 0 and first["unchanged"] == 0
    got = remote(hub, "ann/arm", "v3.0", tmp_path)
    card = got.pop("README.md").decode()
    pictures = {path: got.pop(path) for path in sorted(got) if path.startswith("card/")}
    assert got == published(arm)
    assert list(pictures) == [
        f"card/{n}" for n in ("actions.png", "episodes.jpg", "lengths.png", "states.png")
    ]
    assert all(f"]({path})" in card for path in pictures)
    assert first["verified"]["files"] == len(got) + 5 and first["verified"]["pulled"] == 5
    assert (
        "demodeck train --policy.type=action_diffusion --dataset.repo_id=ann/arm --dataset.revision=first"
        in card
    )
    assert "curation/scores.parquet" in got and "curation/labels.jsonl" in got
    tags = {t.name: t.target_commit for t in hub.list_repo_refs("ann/arm", repo_type="dataset").tags}
    assert tags == {"v3.0": first["commit"], "first": first["commit"]}
    assert f"| episodes | {N_EPISODES} |" in card

    curate("edit", "drop", "arm", "--where", "verdict = 'drop'", "--output", "good")
    (tmp_path / "good" / "videos" / "note.txt").write_text("kept")
    code, out, _ = curate("publish", "good", "--repo-id", "ann/arm", "--json")
    second = json.loads(out)
    assert code == 0 and second["commit"] != first["commit"]
    got = remote(hub, "ann/arm", second["commit"], tmp_path)
    assert f"| episodes | {N_EPISODES - 3} |" in got.pop("README.md").decode()
    assert {path: got[path] for path in got if not path.startswith("card/")} == published(tmp_path / "good")
    tags = {t.name: t.target_commit for t in hub.list_repo_refs("ann/arm", repo_type="dataset").tags}
    assert tags == {"v3.0": second["commit"], "first": first["commit"]}

    (tmp_path / "good" / "videos" / "note.txt").unlink()
    assert json.loads(curate("publish", "good", "--repo-id", "ann/arm", "--json")[1])["deleted"] == 1
    code, out, _ = curate("publish", "good", "--repo-id", "ann/arm", "--json")
    assert json.loads(out)["added"] == json.loads(out)["deleted"] == 0

    # The unmodified loader: the edited folder itself, and by name alone from an empty cache.
    env = {k: v for k, v in os.environ.items() if k != "HF_LEROBOT_HOME"} | {
        "HF_HOME": str(tmp_path / "fresh")
    }
    command = [sys.executable, "-c", LEROBOT, CAMERA]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    frames = int(Dataset.open(tmp_path / "good").lengths().sum())
    last = [N_EPISODES - 3, frames, [3, 32, 48], N_EPISODES - 4, "Move the cube, way 1"]
    assert json.loads(done.stdout.splitlines()[-1]) == [last, last, True]


def test_private_license_and_an_own_card(arm, hub, curate, tmp_path):
    assert curate("publish", "arm", "--repo-id", "ann/p", "--private", "--license", "cc-by-4.0")[0] == 0
    assert hub.dataset_info("ann/p").private
    text = remote(hub, "ann/p", "main", tmp_path)["README.md"].decode()
    front = yaml.safe_load(text.split("---")[1])
    assert front["license"] == "cc-by-4.0" and front["task_categories"] == ["robotics"]
    assert front["configs"] == [{"config_name": "default", "data_files": "data/*/*.parquet"}]
    assert "LeRobot" in front["tags"] and "synthetic_arm" in front["tags"]
    (arm / "README.md").write_text("mine")
    code, out, _ = curate("publish", "arm", "--repo-id", "ann/p")
    assert code == 0 and "v3.0" in out and "/datasets/ann/p" in out
    assert hub.dataset_info("ann/p").private
    shutil.rmtree(tmp_path / "pulled-main")
    assert remote(hub, "ann/p", "main", tmp_path)["README.md"] == b"mine"


def test_bad_input_is_one_line(arm, hub, refuses, curate, monkeypatch):
    refuses("publish", "arm", words=["--repo-id"], code=2)
    refuses("publish", "arm", "--repo-id", "a/b/c", words=["a/b/c"], code=5)
    refuses("publish", "arm", "--repo-id", "ann/sp ace", words=["ann/sp ace"], code=5)
    refuses("publish", "nowhere", "--repo-id", "ann/x", words=["nowhere"], code=3)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    refuses("publish", "arm", "--repo-id", "ann/x", words=["127.0.0.1:9"], code=5)
