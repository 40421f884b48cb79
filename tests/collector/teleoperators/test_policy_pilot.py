"""The pilot `policy`: it shows a lerobot policy what it was trained on, in its order, and names its actions."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from policy_rig import ACTION, JOINTS, SCENE, STATE, connected, observation, robot_with, save_policy

from collector.errors import MismatchError, UsageError
from collector.robots.sim_so101 import SimSO101, SimSO101Config
from collector.session.fly import fly
from collector.teleoperators.policy import Policy, PolicyConfig


def test_inputs_and_actions_follow_the_policys_names(tmp_path):
    policy = save_policy(tmp_path)
    pilot = connected(tmp_path)
    pilot.reset(0)
    pilot.observe(observation())
    action = pilot.get_action()
    chunk = policy.predict_action_chunk(
        {STATE: torch.tensor([[2.0, 1.0]]), SCENE: torch.tensor([[3.0, 4.0]])}
    )
    assert list(action) == JOINTS
    assert list(action.values()) == pytest.approx(chunk[0, 0].tolist(), rel=1e-5)
    assert pilot.action_features == dict.fromkeys(JOINTS, float)
    assert pilot.fps == 20


def test_it_looks_again_when_the_flown_part_of_the_chunk_is_over(tmp_path):
    save_policy(tmp_path)
    pilot, fresh = connected(tmp_path), connected(tmp_path)
    for value in (1.0, 9.0, 9.0):
        pilot.observe(observation(a=value))
        last = pilot.get_action()
    fresh.observe(observation(a=9.0))
    assert last == fresh.get_action()
    short = connected(tmp_path, n_action_steps=1)
    for value in (1.0, 9.0):
        short.observe(observation(a=value))
        last = short.get_action()
    assert last == fresh_action(tmp_path, 9.0)


def fresh_action(folder, value):
    pilot = connected(folder)
    pilot.observe(observation(a=value))
    return pilot.get_action()


@pytest.mark.parametrize("n_obs_steps", [1, 2])
def test_what_is_predicted_without_delay_beside_the_flight_is_what_the_robot_would_wait_for(
    tmp_path, n_obs_steps
):
    save_policy(tmp_path, "action_diffusion", n_obs_steps=n_obs_steps)
    flights = []
    for inference in ("sync", "rtc"):
        pilot = connected(tmp_path, inference=inference)
        pilot.fit_to(robot_with(JOINTS, JOINTS, ["x", "y"], realtime=False))
        pilot.set_control_period(0.05)
        for seed in (3, 4):
            pilot.reset(seed)
            for tick in range(7):
                pilot.observe(observation(a=tick, b=-tick))
                flights.append(pilot.get_action())
        pilot.disconnect()
    assert flights[:14] == flights[14:]
    assert flights[:7] != flights[7:14]


def test_it_is_told_what_is_flown_meanwhile(tmp_path):
    save_policy(tmp_path, "action_diffusion", horizon=8)
    pilot = connected(tmp_path, inference="rtc", inference_delay=3)
    pilot.fit_to(robot_with(JOINTS, JOINTS, ["x", "y"], realtime=False))
    pilot.reset(3)
    told, predict = [], pilot._policy.predict_action_chunk

    def note(batch, **more):
        told.append(more.get("inference_delay"))
        return predict(batch, **more)

    pilot._policy.predict_action_chunk = note
    for tick in range(10):
        pilot.observe(observation(a=tick))
        pilot.get_action()
    assert told == [None, 3, 3, 3]
    pilot.disconnect()


def test_in_real_time_it_flies_while_it_thinks(tmp_path):
    save_policy(tmp_path, "action_diffusion", horizon=8)
    pilot = connected(tmp_path, inference="rtc")
    pilot.fit_to(robot_with(JOINTS, JOINTS, ["x", "y"], realtime=True))
    pilot.set_control_period(10.0)
    pilot.reset(3)
    threads, predict = set(), pilot._policy.predict_action_chunk

    def note(batch, **more):
        threads.add(threading.current_thread().name)
        return predict(batch, **more)

    pilot._policy.predict_action_chunk = note
    for tick in range(10):
        pilot.observe(observation(a=tick))
        pilot.get_action()
    pilot.disconnect()
    assert {name.rstrip("_0123456789") for name in threads} == {"MainThread", "predict"}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"inference": "later"}, "choose one of sync, rtc"),
        ({"inference_delay": 2}, "with --teleop.inference=rtc"),
        ({"inference": "rtc", "inference_delay": -1}, "a number of ticks from 0"),
    ],
)
def test_ways_to_think_that_there_are_not_are_refused(settings, says):
    with pytest.raises(UsageError, match=says):
        PolicyConfig(path="somewhere", **settings)


def test_settings_may_be_given_anew(tmp_path):
    save_policy(tmp_path, "action_diffusion", num_train_timesteps=10)
    pilot = connected(tmp_path, settings={"sampler": "ddpm", "num_inference_steps": 2})
    assert (pilot._policy.config.sampler, pilot._policy.config.num_inference_steps) == ("ddpm", 2)


def test_the_same_seed_samples_the_same_actions(tmp_path):
    save_policy(tmp_path, "action_diffusion", num_train_timesteps=10)
    pilot = connected(tmp_path)

    def flown(seed):
        pilot.reset(seed)
        actions = []
        for _ in range(5):
            pilot.observe(observation())
            actions.append(pilot.get_action())
        return actions

    first = flown(7)
    assert flown(8) != first
    assert flown(7) == first


def test_cameras_are_given_as_lerobot_trains_them(tmp_path):
    """lerobot's ACT on a picture and the joints: channels first, 0 to 1."""
    from lerobot.configs import FeatureType, PolicyFeature
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors

    config = ACTConfig(
        device="cpu",
        chunk_size=2,
        n_action_steps=1,
        dim_model=16,
        n_heads=2,
        dim_feedforward=16,
        n_encoder_layers=1,
        use_vae=False,
        pretrained_backbone_weights=None,
    )
    config.input_features = {
        STATE: PolicyFeature(FeatureType.STATE, (2,)),
        "observation.images.front": PolicyFeature(FeatureType.VISUAL, (3, 32, 32)),
    }
    config.output_features = {ACTION: PolicyFeature(FeatureType.ACTION, (2,))}
    torch.manual_seed(0)
    policy = get_policy_class("act")(config=config).eval()
    stats = {key: {"mean": np.zeros(2), "std": np.ones(2)} for key in (STATE, ACTION)}
    stats["observation.images.front"] = {"mean": np.zeros((3, 1, 1)), "std": np.ones((3, 1, 1))}
    policy.save_pretrained(tmp_path)
    for processor in make_pre_post_processors(config, dataset_stats=stats):
        processor.save_pretrained(tmp_path)

    pilot = connected(tmp_path)
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    pilot.observe({"a.pos": 1.0, "b.pos": 2.0, "front": picture})
    expected = policy.select_action(
        {
            STATE: torch.tensor([[1.0, 2.0]]),
            "observation.images.front": torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255,
        }
    )
    assert list(pilot.get_action().values()) == pytest.approx(expected[0].tolist(), rel=1e-4, abs=1e-5)
    assert pilot.cameras == ["front"]
    with pytest.raises(MismatchError, match="camera 'front'"):
        pilot.observe({"a.pos": 1.0, "b.pos": 2.0})


def test_words_say_which_of_several_tasks_is_flown(tmp_path):
    policy = save_policy(tmp_path, tasks=["pick", "push"])
    robot = robot_with(JOINTS, JOINTS, ["x", "y"])
    flown = {}
    for said in ("", "push"):  # by default what is to be done in the robot's scene
        robot.task.instruction = "pick"
        pilot = Policy(PolicyConfig(path=str(tmp_path), task=said))
        pilot.fit_to(robot)
        pilot.connect()
        pilot.reset(0)
        pilot.observe(observation())
        flown[said] = list(pilot.get_action().values())
    seen = {STATE: torch.tensor([[2.0, 1.0]]), SCENE: torch.tensor([[3.0, 4.0]])}
    for said, task in (("", "pick"), ("push", "push")):
        wanted = policy.predict_action_chunk({**seen, "task": task})[0, 0].tolist()
        assert flown[said] == pytest.approx(wanted, rel=1e-5)
    assert flown[""] != pytest.approx(flown["push"], rel=1e-2)
    for said, in_scene, says in (
        ("fold", "pick", "'pick', 'push', and 'fold' is none of them"),
        ("", "fold", "'fold' is none of them"),
        ("", "", "it has to be told which"),
    ):
        robot.task.instruction = in_scene
        with pytest.raises(UsageError, match=says):
            Policy(PolicyConfig(path=str(tmp_path), task=said)).fit_to(robot)


def test_it_flies_the_simulated_arm_by_the_common_session(tmp_path):
    robot = SimSO101(SimSO101Config(realtime=False, cameras=[]))
    save_policy(tmp_path, joints=list(robot.action_features), scene=robot.task.environment_state_names)
    pilot = connected(tmp_path)
    pilot.fit_to(robot)
    robot.connect()
    flight = fly(robot, pilot, fps=20, seed=3, time_limit_s=0.5, stop_on_success=True)
    assert (flight.ticks, flight.success, flight.reason) == (10, False, "time")
    robot.disconnect()


def test_importing_the_pilot_imports_no_network():
    """A process that only names the pilot must not pay for lerobot's policies, nor import `training`."""
    code = (
        "import sys; import collector.teleoperators.policy; "
        "print([m for m in ('lerobot.policies', 'diffusers', 'training') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_plain_lerobots_policy_of_one_unnamed_camera_flies_pusht_by_its_order(tmp_path):
    """Its checkpoint names no action, and its camera is the column `observation.image`."""
    pytest.importorskip("gym_pusht")
    from lerobot.configs import FeatureType, PolicyFeature
    from lerobot.policies.factory import get_policy_class, make_policy_config, make_pre_post_processors

    from collector.robots.sim_pusht import SimPushT, SimPushTConfig

    small = {"dim_model": 16, "n_heads": 2, "dim_feedforward": 16, "n_encoder_layers": 1, "use_vae": False}
    config = make_policy_config(
        "act", device="cpu", chunk_size=4, n_action_steps=2, pretrained_backbone_weights=None, **small
    )
    camera = "observation.image"
    config.input_features = {
        camera: PolicyFeature(FeatureType.VISUAL, (3, 32, 32)),
        STATE: PolicyFeature(FeatureType.STATE, (2,)),
    }
    config.output_features = {ACTION: PolicyFeature(FeatureType.ACTION, (2,))}
    stats = {key: {"mean": np.zeros(2), "std": np.ones(2)} for key in (STATE, ACTION)}
    stats[camera] = {"mean": np.zeros((3, 1, 1)), "std": np.ones((3, 1, 1))}
    torch.manual_seed(0)
    get_policy_class("act")(config=config).save_pretrained(tmp_path)
    for processor in make_pre_post_processors(config, dataset_stats=stats):
        processor.save_pretrained(tmp_path)

    pilot = connected(tmp_path)
    assert pilot.cameras == ["image"]
    with pytest.raises(MismatchError, match="sees image, the robot has none"):
        pilot.fit_to(SimPushT(SimPushTConfig(cameras=[])))
    with SimPushT(SimPushTConfig(realtime=False, width=32, height=32)) as robot:
        pilot.fit_to(robot)
        assert list(pilot.action_features) == list(robot.action_features)
        assert fly(robot, pilot, fps=10, seed=3, time_limit_s=0.5).ticks == 5
