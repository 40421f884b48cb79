"""A reply that lies at the port is never given up, however late it is looked for."""

import time

import pytest
from servo_bus import ServoBus

from collector.session import bus as session_bus


@pytest.fixture
def arm():
    from lerobot.motors import Motor, MotorNormMode
    from lerobot.motors.feetech import FeetechMotorsBus

    servos = ServoBus()
    motor = Motor(1, "sts3215", MotorNormMode.DEGREES)
    servos.slow(3)
    arm = type("Arm", (), {"bus": FeetechMotorsBus(servos.path, {"shoulder_pan": motor})})()
    yield arm
    arm.bus.port_handler.closePort()
    servos.close()


def test_a_machine_that_stood_still_is_no_silent_servo(arm):
    """The library's own clock says that every reply is too late, as after a stall of any length."""
    plain = arm.bus.port_handler.setPacketTimeout
    arm.bus.port_handler.setPacketTimeout = lambda length: (
        plain(length),
        setattr(arm.bus.port_handler, "packet_timeout", 0),
    )
    arm.bus.port_handler.openPort()
    assert arm.bus.packet_handler.ping(arm.bus.port_handler, 1)[1] != 0, "the library alone gives it up"
    arm.bus.port_handler.closePort()
    time.sleep(0.1)
    session_bus.be_patient(arm)
    arm.bus.port_handler.openPort()
    assert all(arm.bus.packet_handler.ping(arm.bus.port_handler, 1)[1] == 0 for _ in range(50))


def test_a_silent_servo_is_given_up_in_time(arm):
    session_bus.be_patient(arm)
    arm.bus.port_handler.openPort()
    began_s, n = time.process_time(), 5
    assert all(arm.bus.packet_handler.ping(arm.bus.port_handler, 9)[1] != 0 for _ in range(n))
    assert time.process_time() - began_s < n * 0.04, "it sleeps while it waits"
