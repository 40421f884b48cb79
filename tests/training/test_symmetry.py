"""Mirrored flights join the training: by a file that says what becomes of each vector."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from policies_of_three_joints import CAMERA
from test_train_command import one_line, train, weights

from collector.dataset.reader import Dataset
from collector.errors import UsageError
from training.data import EpisodeFrames
from training.images import open_images
from training.symmetry import SignedOrder, Symmetries

MIRROR = """
[[symmetry]]
"observation.state" = { order = [0, 2, 1], sign = [-1, 1, 1] }
"observation.environment_state" = { order = [1, 0], offset = [5, -5] }
action = { order = [0, 2, 1], sign = [-1, 1, 1] }
"""


@pytest.fixture
def mirror(tmp_path):
    path = tmp_path / "mirror.toml"
    path.write_text(MIRROR)
    return path


def test_flights_are_followed_by_their_images(mirror):
    state = np.arange(15, dtype=np.float32).reshape(5, 3)
    frames = EpisodeFrames.of({"observation.state": state, "task_index": np.arange(5)}, np.array([2, 3]))
    both = Symmetries.load(str(mirror)).add_to(frames)
    assert both.columns["observation.state"].tolist() == [
        *state.tolist(),
        *[[-a, c, b] for a, b, c in state.tolist()],
    ]
    assert both.columns["task_index"].ravel().tolist() == [0, 1, 2, 3, 4] * 2
    assert both.first.tolist() == [0, 0, 2, 2, 2, 5, 5, 7, 7, 7]
    assert both.last.tolist() == [1, 1, 4, 4, 4, 6, 6, 9, 9, 9]


@pytest.mark.parametrize("cache", ["memory", "stream"])
def test_pictures_are_mirrored_when_they_are_asked_for(filmed_dataset, tmp_path, cache):
    path = tmp_path / "mirror.toml"
    path.write_text(f'[[symmetry]]\n"{CAMERA}" = {{ order = [0, 1], sign = [-1, 1] }}')
    dataset = Dataset.open(filmed_dataset)
    n_frames = int(dataset.lengths([0]).sum())
    plain = EpisodeFrames.of({}, np.array([n_frames]), {CAMERA: [-1, 0]})
    plain.images[CAMERA] = open_images(dataset, CAMERA, [0], cache, tmp_path)
    both = Symmetries.load(str(path)).add_to(plain)
    both.prefetch(torch.tensor([4, n_frames + 4]))
    windows = both.batch(torch.tensor([4, n_frames + 4, n_frames]))[CAMERA]
    expected = plain.batch(torch.tensor([4, 0]))[CAMERA]
    assert torch.equal(windows[0], expected[0])
    assert torch.equal(windows[1], expected[0].flip(-1))
    assert torch.equal(windows[2], expected[1].flip(-1))


def test_pictures_that_are_not_square_do_not_change_x_with_y():
    turn = SignedOrder([1, 0], [1, -1], [0, 0])
    picture = torch.tensor([[1, 2], [3, 4]])
    assert turn.of_pictures(picture).tolist() == [[2, 4], [1, 3]], "a quarter turn to the left"
    with pytest.raises(UsageError, match="3x2 cannot change x with y"):
        turn.of_pictures(torch.zeros(2, 3))


def test_pushts_symmetry_is_one_of_its_physics():
    pytest.importorskip("gym_pusht")
    from collector.robots.sim_pusht.config import SimPushTConfig
    from collector.robots.sim_pusht.robot import SimPushT

    maps = Symmetries.load("pusht").maps[0]

    def image(column, values):
        return maps[column](torch.tensor(np.asarray(values), dtype=torch.float64)[None])[0].numpy()

    robot = SimPushT(SimPushTConfig(realtime=False))
    robot.connect()
    robot.set_control_period(0.1)
    robot.reset(3)

    def seen_from():
        observation = robot.get_observation()
        picture = torch.from_numpy(observation.pop("image").transpose(2, 0, 1)).float()
        return np.array(list(observation.values())), picture

    state, _ = seen_from()
    block = robot.task.environment_state()
    # Into the block, so that it is pushed and turned.
    goals = np.linspace(state, block.reshape(8, 2).mean(0) + np.array([30, 10]), 12)

    def fly(state, block, goals):
        robot.place(state, block)
        seen = []
        for goal in goals:
            robot.send_action(dict(zip(robot.action_features, goal)))
            seen.append((*seen_from(), robot.task.environment_state(), robot.task.reward()))
        return seen

    flown = fly(state, block, goals)
    mirrored = fly(
        image("observation.state", state),
        image("observation.environment_state", block),
        [image("action", goal) for goal in goals],
    )
    assert np.abs(flown[-1][2] - block).max() > 5, "the block was pushed"
    for (agent, picture, keypoints, reward), (its_agent, its_picture, its_keypoints, its_reward) in zip(
        flown, mirrored
    ):
        other = maps["observation.image"].of_pictures(picture)
        # But for the edges, which are drawn on a grid of pixels.
        assert (other - its_picture).abs().mean() < 3 < 5 < (picture - its_picture).abs().mean()
        assert its_agent == pytest.approx(image("observation.state", agent), abs=0.1)
        assert its_keypoints == pytest.approx(image("observation.environment_state", keypoints), abs=0.1)
        assert its_reward == pytest.approx(reward, abs=2e-3)
    robot.disconnect()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "none of those shipped (pusht)"),
        ("[[symmetry", "no TOML"),
        ("x = 1", "no [[symmetry]]"),
        ("[[symmetry]]\naction = { order = [0, 0, 1] }", "each place once"),
        ("[[symmetry]]\naction = { order = [0, 1, 2], sign = [1, 2, 1] }", "of 1 and -1"),
        ("[[symmetry]]\naction = { order = [0, 1, 2] }", "does not say what becomes of 'observation"),
        (MIRROR.replace("order = [1, 0], offset = [5, -5]", "order = [0]"), "has 1 entries"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(small_dataset, tmp_path, capsys, content, says):
    path = tmp_path / "mirror.toml"
    if content is not None:
        path.write_text(content)
    assert train(small_dataset, tmp_path / "run", f"--dataset.symmetry={path}") == 2
    assert says in one_line(capsys)


def test_the_symmetry_is_on_record_and_a_resumed_run_has_the_same(small_dataset, mirror, tmp_path, capsys):
    assert train(small_dataset, tmp_path / "plain", "--steps=4") == 0
    assert train(small_dataset, tmp_path / "run", "--steps=4", f"--dataset.symmetry={mirror}") == 0
    plain, run = weights(tmp_path / "plain", 4)["raw"], weights(tmp_path / "run", 4)["raw"]
    assert any(not torch.equal(plain[key], run[key]) for key in plain)
    last = tmp_path / "run" / "checkpoints" / "last" / "pretrained_model"
    assert json.loads((last / "train_config.json").read_text())["run"]["dataset"]["symmetry_sha256"]
    mirror.write_text(MIRROR + "# changed\n")
    capsys.readouterr()
    assert (
        train(small_dataset, tmp_path / "run", "--steps=4", f"--dataset.symmetry={mirror}", "--resume=true")
        == 7
    )
    assert "is another file" in one_line(capsys)
