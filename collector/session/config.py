"""The flags of `demodeck record` and `demodeck teleop`: those of lerobot's own commands, and a few of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lerobot.robots import RobotConfig
from lerobot.teleoperators import TeleoperatorConfig

from collector.dataset.locate import default_root
from collector.errors import UsageError
from collector.session.actions import with_keys
from collector.session.guard import SafetyFlags

DISPLAYS = ("auto", "cockpit", "log", "none")


@dataclass
class EncoderFlags:
    """Video encoder settings, named as lerobot's `RGBEncoderConfig`."""

    # h264, hevc, libsvtav1, a hardware encoder (h264_nvenc, ...), or auto: what a short measurement of this
    # machine allows; 'demodeck doctor --encoders' prints it.
    vcodec: str = "auto"
    pix_fmt: str = "yuv420p"
    g: int | None = 2  # frames from one keyframe to the next
    crf: float | None = 30  # quality: lower is better and larger
    preset: str | None = None  # speed against size, as the codec names it
    fast_decode: int = 0
    video_backend: str = "pyav"
    extra_options: dict[str, Any] = field(default_factory=dict)


@dataclass
class DepthEncoderFlags(EncoderFlags):
    """lerobot's `DepthEncoderConfig`, accepted and not used: depth cameras are refused."""

    vcodec: str = "hevc"
    pix_fmt: str = "gray12le"
    extra_options: dict[str, Any] = field(default_factory=lambda: {"x265-params": "lossless=1"})
    depth_min: float = 0.01
    depth_max: float = 10.0
    shift: float = 3.5
    use_log: bool = True


@dataclass
class DatasetFlags:
    """Where and what to record, named as lerobot's `DatasetRecordConfig`."""

    repo_id: str = ""  # owner/name on the Hub
    single_task: str = ""  # the task in words; a simulated robot knows its own
    root: Path | None = None  # folder of the dataset; by default datasets/<repo_id>
    fps: int = 30
    episode_time_s: float = 60
    reset_time_s: float = 60  # time between flights; a simulated robot resets itself at once
    num_episodes: int = 50
    video: bool = True  # pictures are recorded as videos only: false is refused
    push_to_hub: bool = True  # at the end, where a Hub account is set up
    private: bool | None = None
    tags: list[str] | None = None
    no_stamp: bool = False  # keep repo_id as given, without date and time
    rgb_encoder: EncoderFlags = field(default_factory=EncoderFlags)
    encoder_threads: int | None = None
    depth_encoder: DepthEncoderFlags = field(default_factory=DepthEncoderFlags)
    # Accepted so that a lerobot-record command line works; encoding always streams in its own process.
    streaming_encoding: bool = True
    encoder_queue_maxsize: int = 30
    num_image_writer_processes: int = 0
    num_image_writer_threads_per_camera: int = 4
    video_encoding_batch_size: int = 1


@dataclass
class FlightFlags:
    """What every session of flights can be told."""

    robot: RobotConfig
    teleop: TeleoperatorConfig | None = None
    # By what a person takes over while a program flies (o in a terminal): a leader arm mirrors the robot until then
    takeover: TeleoperatorConfig | None = None
    # Where that is a program (scripted): it takes over by itself so late in a flight that did not succeed yet [s]
    takeover_after_s: float | None = None
    seed: int = 0  # episode i of the dataset is flown with seed + i, where robot or pilot take seeds
    safety: SafetyFlags = field(default_factory=SafetyFlags)
    reconnect_time_s: float = 60  # how long a device that is gone is waited for; 0 ends the session at once
    squeeze: bool = False  # a double squeeze of the leader's gripper starts and ends flights
    # cockpit: a full screen; log: a line for each thing that happens; none: only errors; auto: the cockpit where a
    # person sits at a terminal, else log
    display: str = "auto"
    # Keys of the terminal by action, such as '{halt: [space, x], end: g}'; ? in the cockpit lists them
    keys: dict[str, Any] = field(default_factory=dict)
    voice: bool = False  # the cockpit also speaks
    # How long the session waits, with the robot held, when the cockpit's terminal is lost ('demodeck attach')
    reattach_time_s: float = 120
    rig_check: bool = True  # the cockpit begins with a look at the rig, and waits for the person
    json: bool = False  # a summary for machines on stdout
    # lerobot's viewers, accepted and not used.
    display_data: bool = False
    display_mode: str = "rerun"
    display_ip: str | None = None
    display_port: int | None = None
    display_compressed_images: bool = False

    def check(self) -> None:
        """Raise `UsageError` where a needed flag is missing or a value makes no sense."""
        if self.teleop is None:
            raise UsageError("no teleoperator: add --teleop.type=NAME (scripted, pad, so101_leader, ...)")
        if self.takeover_after_s is not None and self.takeover is None:
            raise UsageError("--takeover_after_s: who takes over? add --takeover.type=NAME (scripted, ...)")
        for name in ("seed", "reconnect_time_s", "reattach_time_s", "takeover_after_s"):
            if not (getattr(self, name) or 0) >= 0:
                raise UsageError(f"--{name}={getattr(self, name)}: must be 0 or above")
        if self.display not in DISPLAYS:
            raise UsageError(f"--display={self.display}: choose among {', '.join(DISPLAYS)}")
        with_keys(self.keys)


@dataclass(kw_only=True)
class TeleopConfig(FlightFlags):
    """Everything `demodeck teleop` can be told; flags as `lerobot-teleoperate`'s."""

    fps: int = 60
    teleop_time_s: float | None = None  # until the person ends it

    def checked(self) -> TeleopConfig:
        """Return self.

        Raises:
            UsageError: If a needed flag is missing or a value makes no sense.
        """
        self.check()
        for name in ("fps", "teleop_time_s"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"--{name}={value}: must be above 0")
        return self


@dataclass(kw_only=True)
class RecordConfig(FlightFlags):
    """Everything `demodeck record` can be told."""

    dataset: DatasetFlags
    resume: bool = False  # add to a dataset that exists
    stop_on_success: bool = False  # end a flight as soon as a simulated robot's task is done, as eval does
    play_sounds: bool = True  # the cockpit answers every event with a sound

    def checked(self) -> RecordConfig:
        """Return self with the dataset's final name and folder.

        Raises:
            UsageError: If a needed flag is missing, a value makes no sense, or asks for what is not recorded.
        """
        self.check()
        data = self.dataset
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", data.repo_id):
            raise UsageError(f"--dataset.repo_id='{data.repo_id}' is not a Hub name: write owner/name")
        for name in ("fps", "num_episodes", "episode_time_s"):
            if getattr(data, name) <= 0:
                raise UsageError(f"--dataset.{name}={getattr(data, name)}: must be above 0")
        if not data.video:
            raise UsageError(
                "--dataset.video=false: cameras are recorded as videos, not as single pictures: leave the flag "
                "out, and for better pictures lower --dataset.rgb_encoder.crf"
            )
        for flag in _depth_flags(self.robot, "--robot"):
            raise UsageError(
                f"{flag}=true: depth pictures are not recorded, only RGB: set it to false, or record this rig "
                "with lerobot-record"
            )
        if not self.resume and not data.no_stamp:
            data.repo_id += datetime.now().strftime("_%Y%m%d_%H%M%S")
        if data.root is None:
            data.root = default_root(data.repo_id)
        return self


def _depth_flags(config: Any, flag: str) -> Iterator[str]:
    """Give the flags by which a robot's cameras were asked for depth, arms of a pair included."""
    if isinstance(config, dict):
        inner = list(config.items())
    elif is_dataclass(config):
        inner = [(one.name, getattr(config, one.name)) for one in fields(config)]
    else:
        return
    for name, value in inner:
        if name == "use_depth" and value is True:
            yield f"{flag}.use_depth"
        yield from _depth_flags(value, f"{flag}.{name}")
