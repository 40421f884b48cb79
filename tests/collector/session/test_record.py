"""`demodeck record` as a user runs it: what plain lerobot reads back is what was flown, and faults lose nothing."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from collector.dataset.journal import list_journals
from collector.dataset.reader import Dataset
from collector.errors import UsageError

FPS = 15
SIZE = 64
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601

# Reads a dataset with plain lerobot and writes every column and picture of it to one file.
LEROBOT_DUMP = """
import sys, numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset
dataset = LeRobotDataset("local/x", root=sys.argv[1], video_backend="pyav")
items = [dataset[i] for i in range(len(dataset))]
keys = [k for k in items[0] if k != "task"]
np.savez(sys.argv[2], task=[i["task"] for i in items], **{k: np.stack([np.asarray(i[k]) for i in items]) for k in keys})
"""


def record_flags(root, episodes=3, **more):
    flags = {
        "robot.type": "sim_so101",
        "robot.realtime": "false",
        "robot.width": SIZE,
        "robot.height": SIZE,
        "teleop.type": "scripted",
        "dataset.repo_id": "lab/pick",
        "dataset.root": root,
        "dataset.num_episodes": episodes,
        "dataset.fps": FPS,
        "dataset.push_to_hub": "false",
        "dataset.rgb_encoder.vcodec": "h264",
        "dataset.rgb_encoder.crf": 15,
    } | more
    return ["record", *(f"--{name}={value}" for name, value in flags.items() if value is not None)]


def read_with_lerobot(root, tmp_path, env):
    out = tmp_path / "lerobot.npz"
    subprocess.run(
        [sys.executable, "-c", LEROBOT_DUMP, str(root), str(out)], env=env, check=True, timeout=300
    )
    return dict(np.load(out))


def fly_again(seeds):
    """Fly the same seeds without the recorder: the truth to compare with."""
    from lerobot.robots import RobotConfig
    from lerobot.teleoperators import TeleoperatorConfig

    from collector.session.devices import make_pilot, make_robot, register_devices
    from collector.session.fly import fly

    class ListSink(list):
        add = list.append

    register_devices(["--robot.type=sim_so101", "--teleop.type=scripted"])
    robot = make_robot(RobotConfig.get_choice_class("sim_so101")(realtime=False, width=SIZE, height=SIZE))
    pilot = make_pilot(TeleoperatorConfig.get_choice_class("scripted")())
    robot.connect()
    pilot.connect()
    flights = []
    try:
        for seed in seeds:
            flights.append(ListSink())
            fly(robot, pilot, fps=FPS, seed=seed, sink=flights[-1])
    finally:
        robot.disconnect()
        pilot.disconnect()
    return robot, flights


def test_plain_lerobot_reads_back_what_was_flown(demodeck, tmp_path, command_env):
    root = tmp_path / "set"
    code, out, err = demodeck(*record_flags(root, json="true"))
    assert code == 0, err
    summary = json.loads(out)
    assert summary["episodes"] == 3
    assert f"next: demodeck score {root}" in err

    read = read_with_lerobot(root, tmp_path, command_env)
    robot, flights = fly_again(range(3))
    assert read["episode_index"].tolist() == [i for i, f in enumerate(flights) for _ in f]
    ticks = [tick for flight in flights for tick in flight]
    joints = [name for name, kind in robot.observation_features.items() if kind is float]
    flown_state = np.array([[t.observation[j] for j in joints] for t in ticks], np.float32)
    np.testing.assert_array_equal(read["observation.state"], flown_state)
    asked = np.array([[t.asked[j] for j in robot.action_features] for t in ticks], np.float32)
    np.testing.assert_array_equal(read["action"], asked)
    sent = np.array([[t.sent[j] for j in robot.action_features] for t in ticks], np.float32)
    np.testing.assert_array_equal(read["executed_action"], sent)
    np.testing.assert_array_equal(
        read["observation.environment_state"], np.stack([t.environment_state for t in ticks])
    )
    np.testing.assert_array_equal(read["next.success"].ravel(), [t.success for t in ticks])
    np.testing.assert_array_equal(read["next.done"].ravel(), [t.done for t in ticks])
    np.testing.assert_allclose(read["clock.tick"].ravel(), read["timestamp"].ravel(), atol=1e-5)
    assert set(read["task"]) == {robot.task.instruction}
    for camera in ("front", "wrist"):
        # Brightness alone: colour is stored at half the resolution (yuv420p), which at 64 px shows.
        decoded = 255 * read[f"observation.images.{camera}"].transpose(0, 2, 3, 1) @ LUMA
        flown = np.stack([t.observation[camera] for t in ticks]).astype(np.float32) @ LUMA
        own_error = ((decoded - flown) ** 2).mean(axis=(1, 2))
        assert own_error.max() < 40, "a picture differs from the one that was flown"
        # A picture must be nearer to its own tick than to one half a second later: nothing has shifted.
        moved = ((flown[7:] - flown[:-7]) ** 2).mean(axis=(1, 2)) > 100
        assert moved.any()
        other_error = ((decoded[:-7] - flown[7:]) ** 2).mean(axis=(1, 2))
        assert (own_error[:-7][moved] < other_error[moved]).all()


def test_resume_adds_and_refuses_what_does_not_fit(demodeck, tmp_path):
    root = tmp_path / "set"
    assert demodeck(*record_flags(root, 1))[0] == 0
    code, _, err = demodeck(*record_flags(root, 1))
    assert (code, len(err.strip().splitlines())) == (2, 1)
    assert "--resume=true" in err
    code, _, err = demodeck(*record_flags(root, 1, resume="true", **{"dataset.fps": 20}))
    assert code in (2, 7), err
    assert "fps" in err
    assert "Traceback" not in err
    code, _, err = demodeck(*record_flags(root, 1, resume="true"))
    assert code == 0, err
    dataset = Dataset.open(root)
    assert dataset.num_episodes == 2
    assert dataset.episodes["seed"].to_pylist() == [0, 1]


def wait_for_episodes(root, count, process, timeout_s=240):
    deadline = time.monotonic() + timeout_s
    while len(list(root.glob("meta/episodes/*/*.parquet"))) < count:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "nothing is recorded"
        time.sleep(0.02)


def child_pids(process):
    """Return the pids of (control, recorder) by their pipes: both are spawned children, control first."""
    import psutil

    children = psutil.Process(process.pid).children()
    spawned = [c for c in children if "spawn_main" in " ".join(c.cmdline())]
    spawned.sort(key=lambda child: (child.create_time(), child.pid))
    return [child.pid for child in spawned]


def saved_rows(root):
    """Return state and action of the episodes in the table, as stored."""
    dataset = Dataset.open(root)
    return [dataset.episode(i, ["observation.state", "action"]) for i in range(dataset.num_episodes)]


@pytest.mark.parametrize("victim", ["control", "recorder", "screen"])
def test_kill_9_of_any_process_loses_no_saved_episode(
    victim, start_demodeck, demodeck, tmp_path, command_env
):
    root = tmp_path / "set"
    process = start_demodeck(*record_flags(root, 500, **{"robot.width": 16, "robot.height": 16}))
    wait_for_episodes(root, 3, process)
    pids = dict(zip(("control", "recorder"), child_pids(process), strict=True)) | {"screen": process.pid}
    saved_before = sum(len(pq.read_table(p)) for p in sorted(root.glob("meta/episodes/*/*.parquet")))
    os.kill(pids[victim], signal.SIGKILL)
    _, err = process.communicate(timeout=240)
    if victim != "screen":
        assert process.returncode == 4, err
        assert "demodeck recover" in err
        assert "Traceback" not in err
    deadline = time.monotonic() + 240
    while any(os.path.exists(f"/proc/{pid}") for pid in pids.values()):  # noqa: PTH110
        assert time.monotonic() < deadline, "a process outlived the session"
        time.sleep(0.05)

    code, _, err = demodeck("recover", root)
    assert code == 0, err
    assert not list_journals(root)
    dataset = Dataset.open(root)
    assert dataset.num_episodes >= saved_before
    read = read_with_lerobot(root, tmp_path, command_env)
    assert read["episode_index"].max() + 1 == dataset.num_episodes
    _, flights = fly_again(range(saved_before))
    for episode, flight in zip(saved_rows(root), flights, strict=False):
        asked = np.array([list(t.asked.values()) for t in flight], np.float32)
        np.testing.assert_array_equal(episode["action"], asked)
    # The flight that was cut is there too, said to be so, and agrees as far as it goes.
    if True in dataset.episodes["interrupted"].to_pylist():
        last = dataset.num_episodes - 1
        _, (flight,) = fly_again([last])
        asked = np.array([list(t.asked.values()) for t in flight], np.float32)
        rows = saved_rows(root)[last]["action"]
        np.testing.assert_array_equal(rows, asked[: len(rows)])


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_the_session_with_everything_saved(sign, start_demodeck, tmp_path):
    root = tmp_path / "set"
    process = start_demodeck(*record_flags(root, 500, **{"robot.cameras": "[]"}))
    wait_for_episodes(root, 2, process)
    os.killpg(process.pid, sign) if sign is signal.SIGINT else process.send_signal(sign)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 128 + sign, err
    assert "Traceback" not in err
    dataset = Dataset.open(root)
    assert dataset.num_episodes >= 2
    assert not list_journals(root)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1.5 MB; only root may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1500k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small file system needs root on Linux")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_ends_the_session_in_one_line_and_loses_nothing(
    small_disk, demodeck, tmp_path, command_env
):
    root = small_disk / "set"
    code, _, err = demodeck(*record_flags(root, 300, display="none"))
    assert code == 6, err
    assert "the disk is full" in err
    assert len(err.strip().splitlines()) == 1, err
    dataset = Dataset.open(root)
    saved = dataset.num_episodes
    assert saved >= 2
    assert read_with_lerobot(root, tmp_path, command_env)["episode_index"].max() + 1 == saved
    # With room again, the flights that were cut are saved too.
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    code, out, err = demodeck("recover", root, "--json")
    assert code == 0, err
    assert json.loads(out)["recovered"]
    assert Dataset.open(root).num_episodes > saved
    assert not list_journals(root)


WRONG = [
    ({"teleop.type": None}, "no teleoperator"),
    ({"dataset.repo_id": "no-slash"}, "owner/name"),
    ({"dataset.fps": 0}, "fps=0"),
    ({"dataset.fsp": 3}, "did you mean '--dataset.fps'"),
    ({"robot.type": "sim_so102"}, "sim_so101"),
    ({"robot.cameras": "[top]"}, "front, wrist"),
    ({"seed": -1}, "--seed=-1"),
]


@pytest.mark.parametrize(("change", "words"), WRONG)
def test_wrong_flags_are_named_with_what_is_allowed(change, words, tmp_path):
    from collector.session.control import parse_record_flags

    with pytest.raises(UsageError, match=re.escape(words)) as caught:
        parse_record_flags(record_flags(tmp_path / "set", 1, **change)[1:])
    assert "\n" not in str(caught.value)


def test_a_wrong_flag_gives_one_line_and_leaves_nothing_behind(demodeck, tmp_path):
    code, out, err = demodeck(*record_flags(tmp_path / "set", 1, **{"dataset.fsp": 3}))
    assert code == UsageError.exit_code
    assert len(err.strip().splitlines()) == 1, err
    assert out == ""
    assert not (tmp_path / "set").exists()


def test_a_first_flight_that_a_power_cut_ended_becomes_a_dataset(demodeck, tmp_path):
    from collector.dataset.journal import JournalWriter
    from collector.dataset.schema import features_for

    root = tmp_path / "set"
    features = features_for(["pan.pos"], ["pan.pos"], {})
    header = {"task": "wave", "robot_type": "one_joint"}
    journal = JournalWriter(root / ".journal" / "flight-a", header, features, FPS)
    for k in range(5):
        zeros = {name: np.zeros(feature["shape"]) for name, feature in journal._features.items()}
        row = {name: value if len(value) > 1 else value[0] for name, value in zeros.items()}
        journal.add({n: v for n, v in row.items() if n in journal._columns} | {"action": [k]}, {})
    journal.flush()
    code, _, err = demodeck(*record_flags(root, 1))
    assert code == 2
    assert "a flight that was interrupted: add --resume=true" in err
    damaged = root / ".journal" / "a-damaged"
    damaged.mkdir()
    (damaged / "header.json").write_text("{")
    code, _, err = demodeck("recover", root)
    assert code == 3
    assert "a-damaged is no journal of a flight" in err
    assert "1 other flight(s) were saved" in err
    assert (damaged / "header.json").exists(), "what cannot be read is left alone"
    shutil.rmtree(damaged)
    code, _, err = demodeck("recover", root)
    assert code == 0, err
    dataset = Dataset.open(root)
    assert dataset.lengths().tolist() == [5]
    assert dataset.info["robot_type"] == "one_joint"
    assert dataset.columns(["action"])["action"].ravel().tolist() == [0, 1, 2, 3, 4]
    assert list_journals(root) == []
