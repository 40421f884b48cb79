"""The rig's own promises: ticks can be read from joints, and capture numbers from compressed pictures."""

import io

import av
import numpy as np
import pytest

from rigs.fault_rig.log import Log, count_ticks, read_log
from rigs.fault_rig.motion import positions, ticks_of
from rigs.fault_rig.pictures import backgrounds, read_number, write_number


def test_joints_tell_the_tick_after_rounding_to_float32():
    states = np.array([list(positions(tick).values()) for tick in range(0, 20_000, 7)], np.float32)
    np.testing.assert_array_equal(ticks_of(states), np.arange(0, 20_000, 7))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (480, 640)])
def test_numbers_survive_compression(height, width):
    numbers = [0, 1, 2, 3, 500, 501, 123_456, 2**23 - 1]
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "30"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number, picture in zip(numbers, backgrounds(height, width, 0)):
            write_number(picture, number)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file) as container:
        found = [read_number(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert found == numbers


def test_the_log_can_be_read_while_it_is_written_and_goes_on_after_a_restart(tmp_path):
    path = tmp_path / "arm.log"
    assert (read_log(path), count_ticks(path)) == ([], 0)
    for tick in range(2):
        log = Log(path)
        log.add("observe", 1.5, tick=tick)
        assert count_ticks(path) == tick + 1
    assert read_log(path) == [{"t": 1.5, "what": "observe", "tick": tick} for tick in range(2)]
