"""A reply that comes is never given up, however late the clock says it is; one that came too late is forgotten."""

import os
import pty
import time
import tty

import pytest
from lerobot.motors import Motor, MotorNormMode
from lerobot.motors.feetech import FeetechMotorsBus
from servo_bus import ServoBus

from collector.session import bus as session_bus

MODEL_NUMBER = (3, 2)  # where it stands in a servo's memory, and its bytes


def arm_at(port):
    motor = Motor(1, "sts3215", MotorNormMode.DEGREES)
    return type("Arm", (), {"bus": FeetechMotorsBus(port, {"shoulder_pan": motor})})()


@pytest.fixture
def wire():
    """The far end of a wire, and an arm at its near end whose library calls every reply too late."""
    far, near = pty.openpty()
    tty.setraw(near)
    arm = arm_at(os.ttyname(near))
    plain = arm.bus.port_handler.setPacketTimeout
    arm.bus.port_handler.setPacketTimeout = lambda length: (
        plain(length),
        setattr(arm.bus.port_handler, "packet_timeout", -1),
    )
    yield far, arm
    arm.bus.port_handler.closePort()
    os.close(far)
    os.close(near)


def reply(*parameters):
    body = [1, len(parameters) + 2, 0, *parameters]
    return bytes([0xFF, 0xFF, *body, ~sum(body) & 0xFF])


def read_model(far, arm, looks=0, late=b""):
    """Ask for a servo's model; it answers (777) when the library looks at the port for the `looks`-th time.

    Args:
        late: What has come before the question.

    Returns:
        What it read, and the library's verdict: 0 where it is content.
    """
    port = arm.bus.port_handler
    port.openPort()
    os.write(far, late)
    seen, look = [], port.readPort

    def answered(length):
        seen.append(length)
        if len(seen) == looks:
            os.write(far, reply(777 & 0xFF, 777 >> 8))
        return look(length)

    port.readPort = answered
    try:
        return arm.bus.packet_handler.read2ByteTxRx(port, 1, MODEL_NUMBER[0])[:2]
    finally:
        port.readPort = look


def test_a_machine_that_stood_still_is_no_silent_servo(wire):
    far, arm = wire
    assert read_model(far, arm, looks=10)[1] != 0, "the library alone gives it up"
    session_bus.be_patient(arm)
    assert read_model(far, arm, looks=10) == (777, 0)
    assert read_model(far, arm)[1] != 0, "nothing comes"


def test_what_came_too_late_is_no_answer_to_the_next_question(wire):
    far, arm = wire
    with pytest.raises(IndexError):
        read_model(far, arm, looks=10, late=reply())  # of a ping
    assert read_model(far, arm, looks=10, late=reply(1, 0)) == (1, 0)
    session_bus.be_patient(arm)
    assert read_model(far, arm, looks=10, late=reply()) == (777, 0)
    assert read_model(far, arm, looks=10, late=reply(1, 0)) == (777, 0)


def test_a_silent_servo_is_given_up_in_time():
    servos = ServoBus()
    arm = arm_at(servos.path)
    try:
        session_bus.be_patient(arm)
        arm.bus.port_handler.openPort()
        began_s, n = time.process_time(), 5
        assert all(arm.bus.packet_handler.ping(arm.bus.port_handler, 9)[1] != 0 for _ in range(n))
        assert time.process_time() - began_s < n * 0.04, "it sleeps while it waits"
    finally:
        arm.bus.port_handler.closePort()
        servos.close()
