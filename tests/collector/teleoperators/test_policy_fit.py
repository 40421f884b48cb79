"""What does not fit the pilot `policy` is refused in a line: another robot, a wrong path, damage, a wrong order."""

import numpy as np
import pytest
from policy_rig import JOINTS, SCENE, STATE, connected, observation, robot_with, save_policy

from collector.errors import DataError, DeviceError, MismatchError, UsageError
from collector.teleoperators.policy import Policy, PolicyConfig


@pytest.mark.parametrize(
    ("robot", "says"),
    [
        (robot_with(["a.pos", "c.pos"], JOINTS, ["x", "y"]), "state: the robot lacks b.pos"),
        (robot_with(JOINTS, [*JOINTS, "c.pos"], ["x", "y"]), "action: the policy does not know c.pos"),
        (robot_with(JOINTS, ["a.pos"], ["x", "y"]), "action: the robot lacks b.pos"),
        (robot_with(JOINTS, JOINTS), "environment_state: the robot lacks x, y"),
        (robot_with(JOINTS, JOINTS, ["y", "x"]), "environment_state: .* in the order x, y"),
    ],
)
def test_a_robot_that_does_not_fit_is_named_with_every_difference(tmp_path, robot, says):
    save_policy(tmp_path)
    pilot = Policy(PolicyConfig(path=str(tmp_path)))
    with pytest.raises(MismatchError, match=says):
        pilot.fit_to(robot)
    pilot.fit_to(robot_with([*JOINTS, "extra.vel"], JOINTS, ["x", "y"]))


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        ({"a.pos": 1.0, "environment_state": np.zeros(2, np.float32)}, "sees b.pos"),
        ({"a.pos": 1.0, "b.pos": 1.0}, "only a simulation knows"),
        (observation(scene=(1.0, 2.0, 3.0)), "trained on 2 entries"),
    ],
)
def test_an_observation_that_does_not_fit_is_refused(tmp_path, seen, says):
    save_policy(tmp_path)
    with pytest.raises(MismatchError, match=says):
        connected(tmp_path).observe(seen)


def test_wrong_paths_say_what_is_wrong(tmp_path):
    with pytest.raises(UsageError, match="which policy"):
        Policy(PolicyConfig(path=""))
    with pytest.raises(DataError, match="holds no policy"):
        Policy(PolicyConfig(path=str(tmp_path)))
    with pytest.raises(DataError, match="neither a folder"):
        Policy(PolicyConfig(path=str(tmp_path / "nowhere")))


def test_a_runs_folder_means_its_last_checkpoint(tmp_path):
    save_policy(tmp_path / "checkpoints" / "000010" / "pretrained_model")
    (tmp_path / "checkpoints" / "last").symlink_to("000010")
    assert Policy(PolicyConfig(path=str(tmp_path))).checkpoint.inputs == {STATE: 2, SCENE: 2}


def test_damaged_weights_and_unknown_settings_are_one_line(tmp_path):
    save_policy(tmp_path)
    with pytest.raises(DataError, match="n_action_steps=99: it must be between"):
        connected(tmp_path, n_action_steps=99)
    with pytest.raises(UsageError, match=r"has no setting 'sampler', but .*horizon"):
        connected(tmp_path, settings={"sampler": "ddim"})
    with pytest.raises(UsageError, match=r"teleop\.packages"):
        connected(tmp_path, packages=["no_such_package"])
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 20)
    with pytest.raises(DataError, match="cannot be loaded"):
        connected(tmp_path)


def test_calls_out_of_order_are_refused(tmp_path):
    save_policy(tmp_path)
    pilot = Policy(PolicyConfig(path=str(tmp_path)))
    with pytest.raises(DeviceError, match="not connected"):
        pilot.reset(0)
    pilot.connect()
    with pytest.raises(DeviceError, match="was shown nothing"):
        pilot.get_action()
    pilot.disconnect()
    assert not pilot.is_connected
