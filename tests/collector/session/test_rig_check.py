"""`demodeck doctor` with a rig's flags: whatever is wrong is a finding in words, nothing moves, nothing is raised."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from servo_bus import ServoBus

from collector.session import rig_check
from collector.session.rig_check import examine_rig
from collector.session.rig_check_cameras import check_cameras, check_usb
from collector.session.rig_check_motors import latency_ms

CARD = "{type: test_card, width: 64, height: 48, fps: 30}"


@pytest.fixture
def rig(tmp_path):
    """A leader and a follower on their own buses, and the flags that describe them."""
    leader, follower = ServoBus(), ServoBus()
    for name in ("leader", "follower"):
        ServoBus.write_calibration(tmp_path / "calibration", name)
    flags = {
        "robot.type": "so101_follower",
        "robot.port": follower.path,
        "robot.id": "follower",
        "robot.calibration_dir": tmp_path / "calibration",
        "teleop.type": "so101_leader",
        "teleop.port": leader.path,
        "teleop.id": "leader",
        "teleop.calibration_dir": tmp_path / "calibration",
    }
    yield leader, follower, flags
    leader.close()
    follower.close()


def look(flags, said=lambda finding: None):
    """Return the findings by what they are of."""
    return {
        finding.what: finding
        for finding in examine_rig([f"--{name}={value}" for name, value in flags.items()], said)
    }


def failed(findings):
    return {what for what, finding in findings.items() if not finding.ok and finding.what != "latency"}


def test_a_healthy_rig(rig, demodeck):
    leader, follower, flags = rig
    flags |= {"robot.cameras": f"{{front: {CARD}}}", "dataset.rgb_encoder.vcodec": "h264"}
    for servo in range(1, 7):
        follower.set(servo, "Torque_Enable", 1)
    code, out, err = demodeck("doctor", "--json", *(f"--{name}={value}" for name, value in flags.items()))
    assert code == 0, out + err
    findings = {finding["what"]: finding for finding in json.loads(out)}
    wanted = ("port", "servos", "calibration", "heat and voltage")
    assert set(findings) >= {f"{who} {what}" for who in ("robot", "teleoperator") for what in wanted}
    assert all(findings[f"robot {what}"]["ok"] for what in wanted)
    assert findings["robot servos"]["seen"] == "1 2 3 4 5 6 answer, sts3215"
    assert "64x48 at" in findings["camera front"]["seen"]
    assert "200 ticks by reading alone, nothing was sent" in findings["latency"]["seen"]
    assert {"config", "disk", "encoder", "teleoperator fits"} <= set(findings)
    assert follower.goal_log() == leader.goal_log() == [], "nothing moves"
    assert all(follower.get(servo, "Torque_Enable") for servo in range(1, 7)), (
        "an arm that is held stays held"
    )


def test_a_file_of_a_rig(rig, demodeck, tmp_path):
    _, follower, flags = rig
    rig_file = tmp_path / "rig.yaml"
    rig_file.write_text(
        f"robot:\n  type: so101_follower\n  port: {follower.path}\n  id: green\n"
        f"  calibration_dir: {flags['robot.calibration_dir']}\n"
    )
    code, out, err = demodeck("doctor", "--config_path", rig_file)
    assert code == 4, err
    assert "FAIL robot calibration" in out
    assert "green.json is not there: run 'lerobot-calibrate --robot.type=so10" in out
    assert "FAIL teleoperator: none is given" in out
    assert err == ""


def test_what_is_wrong_with_servos_is_named(rig):
    leader, follower, flags = rig
    follower.silence(3)
    leader.set(4, "Model_Number", 2825)
    findings = look(flags)
    assert "servo 3 (elbow_flex) does not answer" in findings["robot servos"].seen
    assert "servo 4 (wrist_flex) is sts3250, not sts3215" in findings["teleoperator servos"].seen
    follower.silence()
    follower.renumber(3, 9)
    leader.set(4, "Model_Number", 777)
    leader.alarm(2, 32)
    findings = look(flags)
    assert "instead answers 9: set the ids anew" in findings["robot servos"].seen
    assert "servo 2 (shoulder_lift) reports: Overload error!" in findings["teleoperator servos"].seen
    follower.silence(1, 2, 9, 4, 5, 6)
    assert "no servo answers: switch its power on" in look(flags)["robot servos"].seen


def test_another_calibration_heat_and_a_weak_supply(rig):
    leader, follower, flags = rig
    leader.set(2, "Homing_Offset", 100)
    follower.set(3, "Present_Temperature", 71)
    leader.set(6, "Present_Voltage", 42)
    findings = look(flags)
    assert failed(findings) == {
        "teleoperator calibration",
        "teleoperator heat and voltage",
        "robot heat and voltage",
    }
    assert (
        "the servos of shoulder_lift hold another calibration than"
        in findings["teleoperator calibration"].seen
    )
    assert "71 deg C (elbow_flex; limit 70)" in findings["robot heat and voltage"].seen
    assert findings["robot heat and voltage"].needed
    assert "gripper has too little of 5 V" in findings["teleoperator heat and voltage"].seen
    follower.uncalibrate()
    assert "hold another calibration" in look(flags)["robot calibration"].seen


def test_a_wire_that_loses_packets_is_noticed(rig):
    _, follower, flags = rig

    def spoil(finding):
        if finding.what == "robot heat and voltage":
            follower.corrupt(share=0.01)

    findings = look(flags, spoil)
    assert not findings["wire"].ok
    assert "packets were lost or late" in findings["wire"].seen
    assert "200 ticks" in findings["latency"].seen, "lost packets are asked for again"


@pytest.mark.parametrize(
    "after", ["config", "robot port", "robot servos", "robot calibration", "camera front"]
)
def test_a_cable_pulled_while_it_looks_is_a_finding(rig, after):
    _, follower, flags = rig
    flags |= {"robot.cameras": f"{{front: {CARD}}}", "dataset.rgb_encoder.vcodec": "h264"}
    findings = look(flags, lambda finding: follower.pull() if finding.what == after else None)
    assert findings["teleoperator servos"].ok
    assert any(not one.ok and ("cable" in one.seen or "not there" in one.seen) for one in findings.values())
    follower.plug()
    assert look(flags)["robot servos"].ok, "nothing of the old port is left"


def test_a_config_that_cannot_be_read(demodeck):
    code, out, err = demodeck("doctor", "--robot.type=so101_folower")
    assert (code, err) == (4, "")
    assert "FAIL config: argument --robot.type: invalid choice: 'so101_folower'" in out
    assert all(name in out for name in ("sim_so101", "so101_follower", "koch_follower")), "what may be chosen"


def test_a_simulated_rig(monkeypatch):
    monkeypatch.setattr(rig_check, "TICKS", 5)
    findings = look({"robot.type": "sim_so101", "teleop.type": "hold", "dataset.rgb_encoder.vcodec": "h264"})
    assert failed(findings) == set()
    assert findings["robot"].seen == "'sim_so101' connects"


class Card:
    """A camera that stands still, with what the check looks at."""

    latest_frame = None
    latest_timestamp = None
    is_connected = False
    width = height = 64
    fps = 30

    def connect(self, warmup):
        pass


def test_a_camera_without_pictures(monkeypatch):
    monkeypatch.setattr("collector.session.rig_check_cameras._FIRST_S", 0.05)
    (finding,) = check_cameras({"front": Card()}, 0.1)
    assert (finding.ok, finding.needed) == (False, True)
    assert "sends no picture" in finding.seen


class Clock:
    """A clock that moves on when somebody sleeps, and leaps at some of the sleeps, by their number."""

    def __init__(self, leaps):
        self.now_s, self.leaps, self.sleeps = 100.0, leaps, 0

    def perf_counter(self):
        return self.now_s

    def sleep(self, seconds):
        self.sleeps += 1
        self.now_s += seconds + self.leaps.get(self.sleeps, 0.0)


class Steady(Card):
    """A camera that takes so many pictures a second, unless the machine stands still."""

    is_connected = True
    latest_frame = np.full((64, 64, 3), 120, np.uint8)

    def __init__(self, clock, rate_hz):
        self.clock, self.rate_hz = clock, rate_hz

    @property
    def latest_timestamp(self):
        return self.clock.now_s - self.clock.now_s % (1 / self.rate_hz)


@pytest.mark.parametrize(
    ("rate_hz", "leaps", "ok"),
    [
        (30, {}, True),
        (30, {400: 3.0}, True),
        (15, {}, False),
        (15, dict.fromkeys(range(50, 9999, 50), 0.2), False),
    ],
)
def test_a_machine_that_stood_still_is_no_slow_camera(monkeypatch, rate_hz, leaps, ok):
    clock = Clock(leaps)
    monkeypatch.setattr("collector.session.rig_check_cameras.time", clock)
    (finding,) = check_cameras({"front": Steady(clock, rate_hz)}, 1.0)
    assert finding.ok is ok, finding.seen
    assert ok or "too slow" in finding.seen


def test_a_slow_camera_one_of_another_size_and_a_dark_one():
    from collector.cameras import TestCardCamera, TestCardCameraConfig

    def camera(**config):
        return TestCardCamera(TestCardCameraConfig(**{"width": 64, "height": 48, "fps": 20} | config))

    cameras = {"slow": camera(), "small": camera(), "dark": camera(light=0.02)}
    original = cameras["slow"].connect

    def slow(warmup):
        original(warmup)
        cameras["slow"].fps = 60  # what was asked for

    def small(warmup):
        TestCardCamera.connect(cameras["small"], warmup)
        cameras["small"].height = 96

    cameras["slow"].connect, cameras["small"].connect = slow, small
    try:
        findings = {finding.what: finding for finding in check_cameras(cameras, 0.8)}
    finally:
        for one in cameras.values():
            one.disconnect()
    assert "(asked: 60): too slow" in findings["camera slow"].seen
    assert "but 64x96 was asked for" in findings["camera small"].seen
    assert "is dark" in findings["camera dark"].seen
    assert not findings["camera dark"].needed


def test_cameras_that_share_a_usb_bus(tmp_path):
    def camera(number, fourcc=None):
        folder = tmp_path / "devices" / "usb1" / f"1-{number}" / f"1-{number}:1.0"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parents[1] / "busnum").write_text("1\n")
        (folder.parents[1] / "speed").write_text("480\n")
        device = tmp_path / "class" / "video4linux" / f"video{number}"
        device.mkdir(parents=True, exist_ok=True)
        (device / "device").symlink_to(folder)
        config = SimpleNamespace(fourcc=fourcc)
        return SimpleNamespace(index_or_path=number, width=1280, height=720, fps=30, config=config)

    (crowded,) = check_usb({"front": camera(0), "wrist": camera(1)}, tmp_path)
    assert crowded.what == "USB bus 1"
    assert "front, wrist need 885 of 384 Mbit/s: set 'fourcc: MJPG'" in crowded.seen
    (light,) = check_usb({"front": camera(2, "MJPG"), "wrist": camera(3, "MJPG")}, tmp_path)
    assert light.ok
    assert list(check_usb({"far": SimpleNamespace(config=None)}, tmp_path)) == []


def test_a_serial_adapter_that_collects(tmp_path):
    file = tmp_path / "class" / "tty" / "ttyUSB7" / "device" / "latency_timer"
    file.parent.mkdir(parents=True)
    file.write_text("16\n")
    assert latency_ms("/dev/ttyUSB7", tmp_path) == 16
    assert latency_ms("/dev/ttyACM0", tmp_path) is None
