"""Our robots as worlds, their named features, and what was learnt there as a policy that flies like any other."""

import numpy as np
import pytest
import torch
from lerobot.policies.factory import make_pre_post_processors

from collector.errors import MismatchError, UsageError
from collector.robots.sim_pusht import SimPushT, SimPushTConfig
from collector.robots.sim_so101 import SimSO101, SimSO101Config
from collector.robots.sim_so101.joints import ACTION_KEYS, CONTROL_RANGES, CONTROL_RANGES_RAD, to_units
from collector.robots.sim_so101.task import PickPlaceTask
from training.irl.actor import Actor
from training.irl.flying import Rig, save_policy
from training.irl.robot_worlds import RobotWorld
from training.irl.views import named_view
from training.irl.worlds import fly

SCENE = PickPlaceTask.environment_state_names
ENTRIES = {"observation.state": list(ACTION_KEYS), "observation.environment_state": SCENE}


def arm(n_copies=1, **config):
    config = SimSO101Config(**{"realtime": False, "cameras": [], **config})
    return RobotWorld(lambda: SimSO101(config), 10, *CONTROL_RANGES.T, n_copies, seconds=0.5)


@pytest.fixture(scope="module")
def world():
    return arm(2)


def test_copies_fly_as_the_robot_itself_does(world):
    robot = SimSO101(SimSO101Config(realtime=False, cameras=[]))
    robot.connect()
    robot.set_control_period(0.1)
    robot.reset(4)
    seen = world.reset([3, 4])
    for _ in range(3):
        action = seen[:, :6] + np.array([3.0, 0, 0, 0, 0, 5.0])
        robot.send_action(dict(zip(ACTION_KEYS, action[1].tolist())))
        seen, ended = world.step(action)
        alone = [robot.get_observation()[key] for key in ACTION_KEYS]
        assert seen[1] == pytest.approx(np.append(alone, robot.task.environment_state()), abs=1e-4)
        assert not ended.any()
    assert world.frames == 5 and world.observation_dim == 11 and not world.success().any()
    with pytest.raises(UsageError, match="begins by seeds only"):
        world.reset([seen[0]])


def test_pusht_begins_where_it_was_seen():
    config = SimPushTConfig(realtime=False, cameras=[])
    world = RobotWorld(lambda: SimPushT(config), 10, np.zeros(2), np.full(2, 512.0))
    seen = world.reset([7])[0]
    assert world.reset([seen])[0] == pytest.approx(seen, abs=1.0)
    assert 0 <= world.reward()[0] < 1


def test_a_world_that_does_not_wait_is_refused():
    with pytest.raises(UsageError, match="lock-step"):
        arm(realtime=True)
    config = SimSO101Config(realtime=False, cameras=[])
    with pytest.raises(MismatchError, match="6 actions"):
        RobotWorld(lambda: SimSO101(config), 10, np.zeros(2), np.ones(2))


def test_the_features_know_where_the_grip_is():
    from collector.robots.sim_so101.reach import Reach

    reach, rng = Reach(), np.random.default_rng(0)
    angles = rng.uniform(*CONTROL_RANGES_RAD.T, size=(20, 6))
    cubes = np.array([reach.grip(one)[0] for one in angles])
    seen = np.concatenate([to_units(angles), cubes, np.tile([0.0, 1.0], (20, 1))], axis=1)
    view = named_view("sim_so101_grip", seen, ENTRIES)
    at_cube = view(seen)[:, view.names.index("hand_at_cube")] * np.sqrt(len(view.names))
    assert at_cube == pytest.approx(1, abs=0.02)  # exp(-0.1 mm / 2 cm), rounded terms
    seen[:, 6] += 0.02
    assert view(seen)[:, 1] * np.sqrt(len(view.names)) == pytest.approx(np.exp(-1), abs=0.02)


def test_what_was_learnt_flies_like_any_policy(world, tmp_path):
    from training.policies.bc import BcPolicy

    seen = world.reset([1, 2])
    actor = Actor(seen + np.random.default_rng(0).normal(size=(2, 11)), *CONTROL_RANGES.T, 16, 2, 4, 2)
    save_policy(actor.policy(), Rig(ACTION_KEYS, SCENE, ACTION_KEYS, 10), tmp_path)
    policy = BcPolicy.from_pretrained(tmp_path)
    before, after = make_pre_post_processors(policy.config, pretrained_path=str(tmp_path))
    policy.reset()
    pilot = actor.pilot()
    for _ in range(3):
        batch = {
            "observation.state": torch.as_tensor(seen[:, :6]),
            "observation.environment_state": torch.as_tensor(seen[:, 6:]),
        }
        assert after(policy.select_action(before(batch))).numpy() == pytest.approx(
            pilot(seen), rel=1e-4, abs=1e-3
        )
        seen = seen + 0.1
    assert policy.config.fps == 10 and policy.config.action_feature_names == list(ACTION_KEYS)
    with pytest.raises(MismatchError, match="another robot"):
        save_policy(actor.policy(), Rig(("x",), (), ("x",), 10), tmp_path / "other")


def test_flights_of_any_number_are_flown_in_groups(world):
    flown = fly(world, lambda: lambda seen: seen[:, :6].astype(float), [1, 2, 3])
    assert [flight.shape for flight, _, _ in flown] == [(5, 11)] * 3
    alone = fly(world, lambda: lambda seen: seen[:, :6].astype(float), [3])
    assert flown[2][0] == pytest.approx(alone[0][0], abs=1e-5)
