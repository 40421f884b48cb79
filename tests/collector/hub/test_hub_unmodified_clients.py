"""The clients as they come, with HF_ENDPOINT set and nothing else: Xet uploads, lerobot, datasets."""

from __future__ import annotations

import json
from pathlib import Path

from huggingface_hub import HfApi

UPLOAD = """
import hashlib, json, sys
from pathlib import Path
import numpy as np
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.utils._runtime import is_xet_available

folder, seen = Path(sys.argv[1]), {"xet": is_xet_available()}
rng = np.random.default_rng(0)
noise = rng.bytes(20_000_001)
files = {
    "noise.mp4": noise,
    # Compresses by grouped bytes, by plain LZ4, and by chunks that the client has sent before.
    "walk.parquet": rng.normal(size=700_001).astype(np.float32).cumsum(dtype=np.float32).tobytes() + b"odd",
    "text.jsonl": b"hello world\\n" * 100_000,
    "again.mp4": noise[100_000:12_000_000] + b"end",
    "small.txt": b"small",
    "empty.txt": b"",
}
folder.mkdir()
for name, content in files.items():
    (folder / name).write_bytes(content)
api = HfApi()
api.create_repo("ana/xet", repo_type="dataset")
first = api.upload_folder(repo_id="ana/xet", folder_path=folder, repo_type="dataset")
again = api.upload_folder(repo_id="ana/xet", folder_path=folder, repo_type="dataset")
seen["no-op"] = first.oid == again.oid
files["noise.mp4"] = b"one byte more" + noise
(folder / "noise.mp4").write_bytes(files["noise.mp4"])
api.upload_folder(repo_id="ana/xet", folder_path=folder, repo_type="dataset")
# Another repository, to which the client sends what it already sent to the first.
api.create_repo("ana/xet2", repo_type="dataset")
api.upload_file(path_or_fileobj=noise, path_in_repo="noise.mp4", repo_id="ana/xet2", repo_type="dataset")
got = Path(snapshot_download("ana/xet", repo_type="dataset"))
seen["same"] = {path.name: path.read_bytes() for path in got.iterdir()} == files
got = Path(snapshot_download("ana/xet2", repo_type="dataset"))
seen["same in the second"] = (got / "noise.mp4").read_bytes() == noise
print(json.dumps(seen))
"""

LEROBOT = """
import json, sys
from pathlib import Path
import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from collector.hub.mirror import push_mirror

names = ["a", "b"]
features = {key: {"dtype": "float32", "shape": (2,), "names": names} for key in ("observation.state", "action")}
features["observation.images.top"] = {
    "dtype": "video", "shape": (64, 64, 3), "names": ["height", "width", "channels"]
}
made = LeRobotDataset.create("ana/flights", fps=10, features=features, root=sys.argv[1], use_videos=True)
rng = np.random.default_rng(0)
for episode in range(2):
    for frame in range(6):
        state = np.array([episode, frame], np.float32)
        image = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
        made.add_frame({"observation.state": state, "action": -state, "observation.images.top": image, "task": "t"})
    made.save_episode()
made.finalize()
card = "---\\nconfigs:\\n- config_name: default\\n  data_files: data/*/*.parquet\\n---\\n"
done = push_mirror(sys.argv[1], "ana/flights", tag="v3.0", card=card)

def first_column(values):
    return [[float(x) for x in row] for row in values]

seen = {}
for revision in (None, "v3.0", done.commit):
    opened = LeRobotDataset("ana/flights", revision=revision)
    item = opened[7]
    seen[str(revision)] = [len(opened), item["observation.state"].tolist(), list(item["observation.images.top"].shape)]
    assert Path(opened.root).resolve() != Path(sys.argv[1]).resolve()
import datasets
table = datasets.load_dataset("ana/flights", split="train")
seen["load_dataset"] = first_column(table["action"])
streamed = datasets.load_dataset("ana/flights", split="train", revision="v3.0", streaming=True)
seen["streamed"] = first_column(row["action"] for row in streamed)
print("\\n" + json.dumps(seen))
"""


def test_xet_uploads_arrive_whole_without_any_setting(personal_hub, run_client, tmp_path: Path) -> None:
    seen = json.loads(run_client(personal_hub.address, UPLOAD, str(tmp_path / "set")).splitlines()[-1])
    assert seen == {"xet": True, "no-op": True, "same": True, "same in the second": True}
    api = HfApi(endpoint=personal_hub.address, token=False)
    lfs = {
        file.rfilename: bool(file.lfs) for file in api.dataset_info("ana/xet", files_metadata=True).siblings
    }
    assert lfs == {
        "again.mp4": True,
        "empty.txt": False,
        "noise.mp4": True,
        "small.txt": False,
        "text.jsonl": True,
        "walk.parquet": True,
    }


def test_lerobot_and_datasets_open_what_was_published(personal_hub, run_client, tmp_path: Path) -> None:
    seen = json.loads(run_client(personal_hub.address, LEROBOT, str(tmp_path / "made")).splitlines()[-1])
    flown = [[-float(episode), -float(frame)] for episode in range(2) for frame in range(6)]
    assert seen.pop("load_dataset") == flown and seen.pop("streamed") == flown
    assert len(seen) == 3
    assert all(value == [12, [1.0, 1.0], [3, 64, 64]] for value in seen.values())
