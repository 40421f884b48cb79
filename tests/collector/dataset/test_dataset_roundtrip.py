"""What was flown is what plain lerobot and our reader give back."""

import numpy as np
import pytest
from flown import FEATURES, FPS, H264, STATE, fly, psnr, record, write_journal

from collector.dataset import schema
from collector.dataset.journal import list_journals
from collector.dataset.reader import Dataset
from collector.dataset.writer import DatasetWriter
from collector.errors import DataError, MismatchError, UsageError

CAMERAS = ["observation.images.front", "observation.images.wrist"]


@pytest.fixture(scope="module")
def flights():
    return [fly(0, 14), fly(1, 9, task="place"), fly(2, 11)]


@pytest.fixture(scope="module")
def root(tmp_path_factory, flights):
    root = tmp_path_factory.mktemp("sets") / "set"
    record(root, flights)
    return root


@pytest.fixture(scope="module")
def lerobot_set(root):
    from lerobot.datasets import LeRobotDataset

    return LeRobotDataset("test/set", root=root, video_backend="pyav")


def to_uint8(image):
    return (image.numpy() * 255).round().astype(np.uint8).transpose(1, 2, 0)


def test_lerobot_gives_back_every_frame(lerobot_set, root, flights):
    dataset = Dataset.open(root)
    assert len(lerobot_set) == sum(map(len, flights)) == dataset.num_frames
    index = 0
    for episode, flight in enumerate(flights):
        ours = {camera: list(dataset.frames(episode, camera)) for camera in CAMERAS}
        for k in range(len(flight)):
            item = lerobot_set[index]
            for name, values in flight.columns.items():
                # lerobot hands out float64 columns (our clocks) as float32.
                expected = values[k].astype(np.float32) if values.dtype == np.float64 else values[k]
                assert np.array_equal(item[name].numpy(), expected), name
            for camera in CAMERAS:
                theirs = to_uint8(item[camera])
                assert np.array_equal(theirs, ours[camera][k])
                assert psnr(theirs, flight.images[camera][k]) > 30
            assert item["index"] == index and item["frame_index"] == k and item["episode_index"] == episode
            assert item["timestamp"] == np.float32(k / FPS)
            assert item["task"] == flight.header["task"]
            index += 1


def test_reader_gives_back_what_was_flown(root, flights):
    dataset = Dataset.open(root)
    assert (dataset.fps, dataset.num_episodes, dataset.tasks) == (FPS, 3, ["pick", "place"])
    assert dataset.camera_keys == CAMERAS
    for episode, flight in enumerate(flights):
        columns = dataset.episode(episode)
        for name, values in flight.columns.items():
            assert np.array_equal(columns[name], values) and columns[name].dtype == values.dtype
    chosen = dataset.columns(["action", "next.reward"], [2, 0])
    assert np.array_equal(chosen["action"], np.concatenate([flights[e].columns["action"] for e in (2, 0)]))
    assert chosen["next.reward"].shape == (25,)
    assert dataset.lengths([2, 0]).tolist() == [11, 14]
    row = dataset.episodes.to_pylist()[1]
    assert (row["success"], row["seed"], row["missed_ticks"], row["pilot"]) == (False, 1, 1, "scripted")
    assert row["interrupted"] is False and row["started_at"].startswith("2026-01-02T03:04:05")
    dataset.check_files()


def test_statistics_are_exact_and_shaped_as_lerobots(lerobot_set, root, flights):
    from lerobot.datasets.compute_stats import aggregate_stats, compute_episode_stats

    dataset = Dataset.open(root)
    everything = np.concatenate([f.columns["action"] for f in flights]).astype(float)
    exact = dataset.exact_stats(["action"])["action"]
    stored = lerobot_set.meta.stats["action"]
    for name, q in {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}.items():
        assert np.allclose(stored[name], np.quantile(everything, q, axis=0))
        assert np.allclose(exact[name], stored[name])
    for name in ("mean", "std", "min", "max"):
        assert np.allclose(stored[name], getattr(np, name)(everything, axis=0))
    # Each feature of each episode has the keys and shapes that lerobot computes.
    numeric = {n: f for n, f in dataset.features.items() if f["dtype"] != "video"}
    by_lerobot = [compute_episode_stats(dataset.episode(e, list(numeric)), numeric) for e in range(3)]
    ours = dataset.episode_stats()
    for episode in range(3):
        for name in numeric:
            for key, value in by_lerobot[episode][name].items():
                assert ours[episode][name][key].shape == value.shape, (name, key)
                if key in ("min", "max", "mean", "std", "count"):
                    assert np.allclose(ours[episode][name][key], value, atol=1e-5), (name, key)
    aggregate_stats([{k: v for k, v in s.items() if k in CAMERAS} for s in ours])  # accepts our pictures' too
    pictures = np.concatenate([f.images[CAMERAS[0]] for f in flights]).reshape(-1, 3) / 255
    camera = lerobot_set.meta.stats[CAMERAS[0]]
    assert camera["mean"].shape == (3, 1, 1) and camera["count"].tolist() == [34]
    assert np.allclose(camera["mean"].ravel(), pictures.mean(0), atol=2e-3)
    assert np.allclose(camera["std"].ravel(), pictures.std(0), atol=2e-3)
    assert np.allclose(camera["q50"].ravel(), np.quantile(pictures, 0.5, axis=0), atol=0.06)


def test_statistics_during_a_session_are_near(tmp_path):
    root = tmp_path / "set"
    writer = DatasetWriter.create(root, fps=FPS, features=FEATURES)
    flights = [fly(seed, 20) for seed in range(4)]
    for flight in flights:
        writer.save(write_journal(root, flight))
    values = np.concatenate([f.columns["action"] for f in flights])
    stored = Dataset.open(root).stats()["action"]
    assert np.allclose(stored["mean"], values.mean(0), atol=1e-6)
    assert np.allclose(stored["q90"], np.quantile(values, 0.9, axis=0), atol=1e-6)  # the sample holds all yet


@pytest.mark.parametrize("codec", ["libsvtav1", "hevc"])
def test_other_codecs_keep_every_frame(tmp_path, codec):
    from lerobot.datasets import LeRobotDataset

    flight = fly(5, 13)
    record(tmp_path / "set", [flight, fly(6, 5)], encoder={"vcodec": codec, "crf": 20})
    opened = LeRobotDataset("test/codec", root=tmp_path / "set", video_backend="pyav")
    for k in range(13):
        for camera in CAMERAS:
            assert psnr(to_uint8(opened[k][camera]), flight.images[camera][k]) > 30
    info = opened.meta.features[CAMERAS[0]]["info"]
    assert info["video.codec"] == {"libsvtav1": "av1", "hevc": "hevc"}[codec]
    assert (info["video.height"], info["video.width"], info["video.fps"]) == (64, 80, FPS)


def test_lerobots_own_encoder_config_and_video_info(tmp_path):
    from lerobot.configs import RGBEncoderConfig
    from lerobot.datasets.video_utils import get_video_info

    root = tmp_path / "set"
    config = RGBEncoderConfig(vcodec="h264", crf=23, g=4, preset="ultrafast")
    record(root, [fly(1, 8)], encoder=config)
    path = root / "videos" / CAMERAS[0] / "chunk-000" / "file-000.mp4"
    assert Dataset.open(root).features[CAMERAS[0]]["info"] == get_video_info(path, config)


def test_lerobot_records_on_in_our_dataset_and_we_in_lerobots(tmp_path):
    """Plain lerobot resumes ours; we then append to a table whose later rows lack our columns."""
    from lerobot.datasets import LeRobotDataset

    features = schema.features_for(STATE, STATE, {})
    root = tmp_path / "set"
    record(root, [fly(0, 6, features)], features=features)
    theirs = LeRobotDataset.resume("test/set", root=root)
    flight = fly(1, 5, features)
    for k in range(5):
        frame = {name: np.atleast_1d(values[k]) for name, values in flight.columns.items()}
        theirs.add_frame({**frame, "task": "place"})
    theirs.save_episode()
    theirs.finalize()
    writer = DatasetWriter.open(root)
    assert writer.save(write_journal(root, fly(2, 7, features), features=features)) == 2
    writer.close()
    opened = LeRobotDataset("test/set", root=root)
    assert (opened.num_episodes, len(opened)) == (3, 18)
    actions = np.stack(opened.hf_dataset.with_format("numpy")["action"][:])
    expected = np.concatenate([fly(0, 6, features).columns["action"], flight.columns["action"]])
    assert np.array_equal(actions[:11], expected)
    assert Dataset.open(root).tasks == ["pick", "place"]


def test_interrupted_and_known_flights(tmp_path):
    root = tmp_path / "set"
    writer = DatasetWriter.create(root, fps=FPS, features=FEATURES)
    first = write_journal(root, fly(0, 10))
    assert writer.save(first) == 0 and not first.exists()
    assert writer.save(write_journal(root, fly(0, 10))) == 0  # the same flight, from a journal left behind
    assert writer.num_episodes == 1 and list_journals(root) == []
    assert writer.save(write_journal(root, fly(1, 8), close=False)) == 1
    rows = Dataset.open(root).episodes.to_pylist()
    assert [row["interrupted"] for row in rows] == [False, True] and rows[1]["success"] is None


def test_what_does_not_fit_is_refused(tmp_path):
    root = tmp_path / "set"
    record(root, [fly(0, 5)])
    with pytest.raises(UsageError, match="holds a dataset already"):
        DatasetWriter.create(root, fps=FPS, features=FEATURES)
    with pytest.raises(MismatchError, match="15 fps, not 30"):
        DatasetWriter.open(root, fps=30, features=FEATURES)
    fewer = {name: f for name, f in FEATURES.items() if name != "intervention"}
    with pytest.raises(MismatchError, match="'intervention'"):
        DatasetWriter.open(root, fps=FPS, features=fewer)
    writer = DatasetWriter.open(root)
    other = {**FEATURES, "observation.images.front": schema.video(32, 32)}
    flight = fly(3, 4, other)
    folder = write_journal(root, flight, features=other)
    with pytest.raises(MismatchError, match=r"observation.images.front.*shape"):
        writer.save(folder)
    assert folder.exists() and writer.num_episodes == 1


def test_empty_journal_and_bad_encoder(tmp_path):
    root = tmp_path / "set"
    writer = DatasetWriter.create(root, fps=FPS, features=FEATURES)
    with pytest.raises(DataError, match="no whole frame"):
        writer.save(write_journal(root, fly(0, 0)))
    with pytest.raises(UsageError, match="not supported: use h264"):
        write_journal(root, fly(1, 2), encoder={"vcodec": "mpeg2"})
    with pytest.raises(UsageError, match="refuses"):
        write_journal(root, fly(2, 2), encoder={**H264, "preset": "warp"})
    with pytest.raises(UsageError, match="even height"):
        DatasetWriter.create(tmp_path / "odd", fps=FPS, features={"cam": schema.video(65, 64)})
