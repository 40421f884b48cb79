"""No encoder takes real time for itself, above whoever flies the robot."""

import os
import sys
from pathlib import Path

import pytest

from collector.dataset.encode import EncoderSettings, VideoEncoder

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has such threads")


def policies():
    return {os.sched_getscheduler(int(thread.name)) for thread in Path("/proc/self/task").iterdir()}


@pytest.mark.parametrize("vcodec", ["libsvtav1", "h264"])
def test_an_encoders_threads_are_ordinary_ones(tmp_path, vcodec):
    before = policies()
    encoder = VideoEncoder(tmp_path / "a.mp4", 64, 64, 30, EncoderSettings(vcodec=vcodec))
    assert policies() <= before | {os.SCHED_OTHER}
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    encoder.close()


def test_who_flies_in_real_time_stays_there(tmp_path):
    from collector.session.realtime import prompt

    with prompt():
        own = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
        encoder = VideoEncoder(tmp_path / "a.mp4", 64, 64, 30, EncoderSettings(vcodec="libsvtav1"))
        assert (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority) == own
        encoder.close()
