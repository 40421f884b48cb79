"""Which devices a command line names, and that no others are imported."""

import json
import subprocess
import sys

import pytest

from collector.session.named import CAMERA, ROBOT, TELEOP, named_devices

CAMERAS = "{front: {type: opencv, index_or_path: 0}, top: {type: zmq}}"


@pytest.mark.parametrize(
    ("args", "named"),
    [
        ([], set()),
        (["--robot.type=sim_so101", "--teleop.type", "pad", "--json"], {(ROBOT, "sim_so101"), (TELEOP, "pad")}),
        (["--takeover.type=so101_leader", "--takeover.port=/dev/x"], {(TELEOP, "so101_leader")}),
        (
            ["--robot.type=lekiwi", f"--robot.cameras={CAMERAS}"],
            {(ROBOT, "lekiwi"), (CAMERA, "opencv"), (CAMERA, "zmq")},
        ),
        (["--robot={type: lekiwi, port: /dev/x}"], {(ROBOT, "lekiwi")}),
        (["--robot.type=a", "--robot.left_arm_config.cameras={f: {type: opencv}}"], {(ROBOT, "a"), (CAMERA, "opencv")}),
        (["--dataset.single_task=: [", "--teleop.type=pad"], {(TELEOP, "pad")}),
        (["--robot.type=a", "--help"], None),
        (["--robot.port=/dev/x"], None),
        (["--robot.type=a", "--robot.cameras={f: ["], None),
        (["--robot=include arm.yaml"], None),
        (["--config_path", "/nowhere/rig.yaml"], None),
    ],
)  # fmt: skip
def test_flags(args, named):
    assert named_devices(args) == named


def test_a_config_file_and_flags_beside_it(tmp_path):
    rig = tmp_path / "rig.yaml"
    rig.write_text(
        f"robot:\n  type: so101_follower\n  port: /dev/x\n  cameras: {CAMERAS}\n"
        "teleop: {type: pad}\ndataset: {type: no}\n"
    )
    cameras = {(CAMERA, "opencv"), (CAMERA, "zmq")}
    assert named_devices([f"--config_path={rig}"]) == {(ROBOT, "so101_follower"), (TELEOP, "pad"), *cameras}
    flags = ["--config_path", str(rig), "--robot.port=/dev/y", "--teleop.type=keys"]
    assert named_devices(flags) == {(ROBOT, "so101_follower"), (TELEOP, "keys"), *cameras}
    rig.write_text("robot: [")
    assert named_devices([f"--config_path={rig}"]) is None


def registered(env, *args):
    """Return which packages of lerobot's devices are loaded after that, and all known names of robots and cameras."""
    code = (
        "import json, sys\n"
        "from collector.session.devices import register_devices\n"
        "register_devices(sys.argv[1:])\n"
        "from lerobot.cameras import CameraConfig\n"
        "from lerobot.robots import RobotConfig\n"
        "parts = [name.split('.') for name in sys.modules]\n"
        "families = ('robots', 'teleoperators', 'cameras')\n"
        "loaded = {p[2] for p in parts if p[0] == 'lerobot' and len(p) > 3 and p[1] in families}\n"
        "known = [*RobotConfig.get_known_choices(), *CameraConfig.get_known_choices()]\n"
        "print(json.dumps([sorted(loaded), known]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *args], env=env, capture_output=True, text=True, timeout=400
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_only_what_is_named_is_imported(command_env):
    loaded, known = registered(
        command_env, "--robot.type=so101_follower", f"--robot.cameras={CAMERAS}", "--teleop.type=so101_leader"
    )
    assert loaded == ["opencv", "so_follower", "so_leader", "zmq"]
    assert {"so101_follower", "opencv", "zmq"} <= set(known)


def test_for_an_unknown_name_everything_is_imported_and_can_be_listed(command_env):
    loaded, known = registered(command_env, "--robot.type=so101_folower")
    assert {"so_follower", "so_leader", "opencv"} <= set(loaded)
    assert {"sim_so101", "so101_follower", "koch_follower", "opencv", "test_card"} <= set(known)


def test_an_installed_plugin_and_a_given_package_are_found_by_name(command_env, tmp_path):
    for package, name in (("lerobot_robot_mine", "mine"), ("given", "theirs")):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(
            "from dataclasses import dataclass\nfrom lerobot.robots import RobotConfig\n"
            f"@RobotConfig.register_subclass('{name}')\n@dataclass\nclass Config(RobotConfig):\n    pass\n"
        )
    info = tmp_path / "lerobot_robot_mine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lerobot_robot_mine\nVersion: 1\n")
    env = command_env | {"PYTHONPATH": f"{command_env['PYTHONPATH']}:{tmp_path}"}
    loaded, known = registered(env, "--robot.type=mine", "--teleop.type=hold")
    assert (loaded, "mine" in known) == ([], True)
    given = "--robot.discover_packages_path=given"
    loaded, known = registered(env, given, "--robot.type=theirs", "--teleop.type=hold")
    assert (loaded, "theirs" in known) == ([], True)
