"""`demodeck devices`: arms are told by the servos that answer, and whatever is wrong is said in words."""

import json
import os
import pty
import subprocess
import sys
import threading
import tty
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from servo_bus import ServoBus

from collector.errors import DeviceError
from collector.session.inventory import arms, rights, servos
from collector.session.inventory.cameras import list_cameras
from collector.session.inventory.pads import list_keyboards, list_pads, unreadable_pads
from collector.session.inventory.ports import list_ports
from collector.session.inventory.servos import Servo, scan


@pytest.fixture
def bus():
    bus = ServoBus()
    yield bus
    bus.close()


def the_port(bus):
    (port,) = [port for port in list_ports([bus.path]) if port.path == bus.path]
    return port


def test_an_arm_is_listed_with_the_flags_that_fly_it(bus, demodeck):
    code, out, err = demodeck("devices", "--port", bus.path)
    assert (code, err) == (0, "")
    assert "6 STS3215 (id 1 2 3 4 5 6), 5.0 V, up to 30 deg C, at 1000000 baud" in out
    assert "SO-100/101 leader or follower" in out
    assert f"--robot.type=so101_follower --robot.port={bus.path}" in out
    assert f"--teleop.type=so101_leader --teleop.port={bus.path}" in out
    assert bus.goal_log() == [], "nothing moves"


def test_for_machines(bus, demodeck):
    code, out, _ = demodeck("devices", "--json", "--port", bus.path)
    assert code == 0
    port = json.loads(out)["ports"][-1]
    assert port["bus"]["servos"][2] == {
        "servo_id": 3, "model": "STS3215", "volts": 5.0, "temperature_c": 30, "alarms": [], "limits": [0, 800, 3200],
    }  # fmt: skip
    assert port["problem"] is None


def test_a_follower_is_known_by_its_voltage_and_complaints_are_said(bus):
    for servo in range(1, 7):
        bus.set(servo, "Present_Voltage", 121)
    bus.alarm(2, 32 | 4)
    port = the_port(bus)
    assert port.what == "SO-100/101 follower (a leader is not supplied with 12 V)"
    assert len(port.flags) == 1
    assert "servo 2 reports heat and overload" in "\n".join(port.lines())


def test_what_is_missing_or_wrong_of_an_arm_is_named(bus):
    bus.silence(3)
    assert "incomplete: servo 3 does not answer: check its cable and id" in the_port(bus).what
    bus.silence()
    bus.renumber(6, 8)
    assert "servo 8 does not belong to it" in the_port(bus).what
    bus.renumber(8, 6)
    bus.set(4, "Model_Number", 2825)
    assert "servo 4 is STS3250, not STS3215" in the_port(bus).what


def test_spoiled_replies_and_slow_ones_hide_no_servo(bus):
    bus.slow(8)
    assert len(scan(bus.path).servos) == 6
    bus.slow(0)
    bus.corrupt(replies=3)
    assert len(scan(bus.path).servos) == 6


@pytest.mark.parametrize(
    ("leap_s", "looks", "found"), [(3.0, 2, True), (0.005, 5, True), (0.005, 100, False)]
)
def test_a_machine_that_stood_still_is_no_silent_servo(monkeypatch, leap_s, looks, found):
    """A servo answers at the look of that number; each look before it takes so long."""
    now_s, seen = [100.0], []

    def read(n_bytes):
        seen.append(n_bytes)
        if len(seen) == looks:
            return b"here"
        now_s[0] += leap_s
        return b""

    port = SimpleNamespace(reset_input_buffer=seen.clear, write=lambda packet: None, in_waiting=0, read=read)
    monkeypatch.setattr(servos, "time", SimpleNamespace(perf_counter=lambda: now_s[0]))
    assert servos._exchange(port, b"?", first_s=0.1, quiet_s=0.03) == (b"here" if found else b"")


def test_a_port_that_somebody_uses_is_not_disturbed(bus, tmp_path):
    script = tmp_path / "holder.py"
    script.write_text(
        f"import serial\nport = serial.Serial({bus.path!r})\nprint('open', flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "open\n"
        problem = the_port(bus).problem
        holder.communicate("\n")
    assert f"(process {holder.pid})" in problem
    assert "end it first" in problem
    assert the_port(bus).problem is None


def test_a_pulled_cable(bus):
    threading.Timer(0.02, bus.pull).start()
    with pytest.raises(DeviceError, match="check its cable"):
        for _ in range(50):
            scan(bus.path)
    assert "is not there: plug its cable in" in the_port(bus).problem
    bus.plug()
    assert the_port(bus).flags


def test_missing_rights_are_said_with_group_and_rule(bus, monkeypatch):
    monkeypatch.setattr(rights.os, "access", lambda path, mode: False)
    monkeypatch.setattr(rights, "_group_of", lambda path: "dialout")
    words = rights.trouble(bus.path, "tty", "1a86:55d3")
    assert "sudo usermod -aG dialout $USER" in words
    assert 'SUBSYSTEM=="tty", ATTRS{idVendor}=="1a86", ATTRS{idProduct}=="55d3", TAG+="uaccess"' in words


def test_a_calibration_file_tells_leader_from_follower(bus, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_LEROBOT_CALIBRATION", str(tmp_path))
    ServoBus.write_calibration(tmp_path / "teleoperators" / "so_leader", "blue")
    (tmp_path / "teleoperators" / "so_leader" / "broken.json").write_text("[")
    port = the_port(bus)
    assert port.what == "SO-100/101 leader, calibrated as 'blue'"
    assert port.flags == (f"--teleop.type=so101_leader --teleop.port={bus.path} --teleop.id=blue",)
    ServoBus.write_calibration(tmp_path / "robots" / "so_follower", "red")
    assert the_port(bus).what == "SO-100/101 leader or follower", "both fit"


def test_the_table_of_arms_agrees_with_lerobot():
    from lerobot.robots.so_follower import SO101Follower, SO101FollowerConfig

    motors = SO101Follower(SO101FollowerConfig(port="")).bus.motors.values()
    assert {motor.id: motor.model.upper() for motor in motors} == arms.ARMS[0].models
    koch = [Servo(i, "XL430-W250" if i < 3 else "XL330-M288") for i in range(1, 7)]
    assert arms.guess(koch, "P") == arms.Guess(
        "Koch follower", ("--robot.type=koch_follower --robot.port=P",)
    )
    leader = [Servo(i, "XL330-M077") for i in range(1, 7)]
    assert arms.guess(leader, "P").flags == ("--teleop.type=koch_leader --teleop.port=P",)
    assert arms.guess([Servo(40, "model 5")], "P").flags == ()


def test_dynamixels_are_found():
    # The e-manual's own example: a ping of servo 1.
    assert servos._dynamixel_packet(1, 1) == bytes.fromhex("FFFFFD000103000119 4E")
    wire, port = pty.openpty()
    tty.setraw(port)
    stop = threading.Event()

    def answer():
        while not stop.is_set():
            packet = os.read(wire, 100)
            if packet[4:5] == b"\xfe" and packet[:4] == b"\xff\xff\xfd\x00":
                for i in range(1, 7):
                    os.write(wire, status(i, (1190).to_bytes(2, "little") + b"\x2d"))
            elif packet[:4] == b"\xff\xff\xfd\x00" and packet[7] == 2:
                os.write(wire, status(packet[4], (52).to_bytes(2, "little") + b"\x1f"))

    def status(servo, parameters):
        return servos._dynamixel_packet(servo, 0x55, b"\0" + parameters)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        found = scan(os.ttyname(port), (1_000_000,))
    finally:
        stop.set()
        os.write(port, b"end")
        thread.join(5)
        os.close(wire)
        os.close(port)
    assert found.protocol == "dynamixel"
    assert [(one.servo_id, one.model, one.volts, one.temperature_c) for one in found.servos] == [
        (i, "XL330-M077", 5.2, 31) for i in range(1, 7)
    ]


def test_cameras_with_a_picture_of_each(demodeck, tmp_path):
    video = tmp_path / "street.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 25, (160, 120))
    for k in range(20):
        writer.write(np.full((120, 160, 3), 10 * k, np.uint8))
    writer.release()
    code, out, err = demodeck(
        "devices", "--camera", video, "--camera", "nowhere.avi", "--pictures", tmp_path / "pictures"
    )
    assert (code, err) == (0, "")
    assert "160x120 at 25 Hz MJPG" in out
    assert f"{{type: opencv, index_or_path: {video}, width: 160, height: 120, fps: 25}}" in out
    assert "nowhere.avi\n    does not open: check its cable" in out
    (picture,) = (tmp_path / "pictures").iterdir()
    assert cv2.imread(str(picture)).shape == (120, 160, 3)


def test_pictures_into_a_place_that_is_none(demodeck, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, err = demodeck("devices", "--pictures", tmp_path / "file")
    assert code == 6
    assert "cannot be made" in err
    assert "Traceback" not in err


def test_a_camera_without_rights(tmp_path, monkeypatch):
    device = tmp_path / "video0"
    device.write_text("")
    monkeypatch.setattr(rights.os, "access", lambda path, mode: False)
    monkeypatch.setattr(
        "collector.session.inventory.cameras._of_system", lambda: iter([("/dev/null", "C270")])
    )
    (seen,) = list_cameras()
    assert 'SUBSYSTEM=="video4linux"' in seen.problem


def test_keyboards_of_the_kernels_list(tmp_path):
    listing = tmp_path / "devices"
    listing.write_text(
        'I: Bus=0003\nN: Name="PCsensor FootSwitch"\nH: Handlers=sysrq kbd event7 leds\nB: EV=120013\n\n'
        'I: Bus=0019\nN: Name="Power Button"\nH: Handlers=kbd event0\nB: EV=3\n'
    )
    (pedal,) = list_keyboards(listing)
    assert (pedal.name, pedal.path) == ("PCsensor FootSwitch", "/dev/input/event7")
    assert list_keyboards(tmp_path / "none") == []


def test_a_pad_that_may_not_be_opened_is_named(tmp_path):
    listing = tmp_path / "devices"
    listing.write_text('N: Name="8BitDo Pro 2"\nH: Handlers=event9931 js0\nB: EV=20000b\n')
    (pad,) = unreadable_pads(listing)
    assert "8BitDo Pro 2\n  /dev/input/event9931 may not be opened" in "\n".join(pad.lines())
    assert 'SUBSYSTEM=="input", TAG+="uaccess"' in pad.problem


def test_no_pads_is_no_error():
    assert isinstance(list_pads(), list)


def test_pads_are_listed_with_the_flags_that_choose_them():
    pytest.importorskip("pygame")
    from rigs.virtual_pad import VirtualPad

    pads = [VirtualPad("Left Pad"), VirtualPad("Right Pad", product=2)]
    try:
        listed = [pad for pad in list_pads() if pad.name in ("Left Pad", "Right Pad")]
    finally:
        for pad in pads:
            pad.unplug()
    assert [pad.name for pad in listed] == ["Left Pad", "Right Pad"]
    assert all(pad.known for pad in listed)
    assert "--teleop.type=pad" in listed[0].flags
    assert f"--teleop.device={listed[1].index}" in listed[1].flags


def test_a_missing_driver_is_a_word_not_an_end(monkeypatch):
    from collector.session.inventory.report import take_inventory

    monkeypatch.setitem(sys.modules, "serial.tools.list_ports", None)
    found = take_inventory()
    assert found.problems["ports"] == "pyserial is not installed: pip install 'demodeck[hardware]'"
    assert "pip install" in found.as_text()
