"""What every encoder owes a recording: each frame once and in order, closed GOPs, and a file that may end anywhere."""

import av
import numpy as np
import pytest

from collector.dataset.encode import CODECS, HARDWARE, EncoderSettings, VideoEncoder
from collector.dataset.video import VideoReader, whole_fragments
from collector.errors import UsageError

FPS = 30
HEIGHT, WIDTH = 176, 192  # NVENC takes no less than about 145 px
N_BITS = 6


def numbered(k):
    """A picture that holds k as black and white blocks, over a moving gradient."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    image = np.stack([x + 3 * k, y + x / 2, 255 - x], -1).astype(np.uint8)
    for bit in range(N_BITS):
        image[0:32, 32 * bit : 32 * bit + 32] = 255 * (k >> bit & 1)
    return image


def number_of(image):
    blocks = [image[8:24, 32 * bit + 8 : 32 * bit + 24].mean() > 127 for bit in range(N_BITS)]
    return sum(block << bit for bit, block in enumerate(blocks))


def opened(settings, path):
    """Return the encoder, or skip the test where this machine has no such device."""
    try:
        return VideoEncoder(path, HEIGHT, WIDTH, FPS, EncoderSettings.of(settings))
    except UsageError as error:
        if settings["vcodec"] in HARDWARE:
            pytest.skip(str(error))
        raise


CASES = [
    ("h264", "veryfast", 2),
    ("h264", "superfast", 5),
    ("h264", "ultrafast", 1),
    ("h264", "medium", 2),
    ("h264", None, None),
    ("hevc", None, 2),
    ("hevc", "superfast", 5),
    ("libsvtav1", None, 2),
    ("libsvtav1", 13, 5),
    ("libsvtav1", 10, 1),
    *((name, None, g) for name in HARDWARE for g in (2, 5)),
]


@pytest.mark.parametrize(("vcodec", "preset", "g"), CASES)
def test_every_codec_keeps_the_contract(tmp_path, vcodec, preset, g):
    n, path = 23, tmp_path / "video.mp4"
    encoder = opened({"vcodec": vcodec, "preset": preset, "g": g}, path)
    for k in range(n):
        encoder.add(numbered(k))
        # VideoToolbox works beside its caller.
        assert whole_fragments(path)[0] >= k - (2 if "videotoolbox" in vcodec else 0)
    encoder.close()

    with VideoReader(path, FPS) as reader:
        assert [number_of(image) for image in reader.frames(0.0, n)] == list(range(n))
    with VideoReader(path, FPS) as reader:
        packets = [(shown, decoded, packet.is_keyframe) for packet, shown, decoded in reader.packets()]
    assert [(shown, decoded) for shown, decoded, _ in packets] == [(k, k) for k in range(n)]
    keyframes = [shown for shown, _, is_keyframe in packets if is_keyframe]
    assert keyframes == list(range(0, n, g or n))

    # Closed: every group decodes with nothing but itself.
    for first in keyframes:
        with VideoReader(path, FPS) as reader:
            some = min(g or n, n - first)
            found = [number_of(image) for image in reader.frames(first / FPS, some)]
        assert found == list(range(first, first + some))

    content, cut = path.read_bytes(), tmp_path / "cut.mp4"
    for share in (0.2, 0.37, 0.5, 0.71, 0.93, 0.999):
        cut.write_bytes(content[: int(share * len(content))])
        whole, end = whole_fragments(cut)
        if whole:
            with VideoReader(cut, FPS, n_bytes=end) as reader:
                assert [number_of(image) for image in reader.frames(0.0, whole)] == list(range(whole))
    assert whole >= n - 2


@pytest.mark.parametrize("vcodec", HARDWARE)
def test_a_hardware_encoder_knows_its_options(vcodec):
    try:
        codec = av.Codec(vcodec, "w")
    except ValueError:
        pytest.skip("not in this FFmpeg")
    settings = EncoderSettings(vcodec=vcodec, preset="p3" if "nvenc" in vcodec else None)
    generic = {"g", "bf", "flags", "global_quality"}
    own = {option.name: option for option in codec.descriptor.options}
    assert settings.options().keys() - generic <= own.keys()
    for name, value in settings.options().items():
        choices = {choice.name for choice in own[name].choices} if name in own else set()
        assert not choices or value.isdigit() or value in choices


def test_a_hardware_encoder_without_its_device_is_refused_by_name(tmp_path):
    if "h264_nvenc" not in av.codecs_available:
        pytest.skip("not in this FFmpeg")
    settings = EncoderSettings.of({"vcodec": "h264_nvenc"})
    try:
        VideoEncoder(tmp_path / "a.mp4", HEIGHT, WIDTH, FPS, settings).close()
    except UsageError as error:
        assert "h264_nvenc" in str(error) and "use h264 or auto" in str(error)


def test_quality_and_keyframes_reach_hardware():
    nvenc = EncoderSettings(vcodec="h264_nvenc", crf=23, g=4).options()
    assert (nvenc["rc"], nvenc["qp"], nvenc["g"], nvenc["bf"], nvenc["rc-lookahead"]) == (
        "constqp",
        "23",
        "4",
        "0",
        "0",
    )
    quick_sync = EncoderSettings(vcodec="h264_qsv", crf=23)
    assert quick_sync.options()["global_quality"] == "23"
    assert quick_sync.coded_pix_fmt == "nv12" and quick_sync.pix_fmt == "yuv420p"
    # lerobot: quality of 100 is 100 - 2 crf; FFmpeg counts in 118ths.
    assert EncoderSettings(vcodec="hevc_videotoolbox", crf=30).options()["global_quality"] == str(40 * 118)
    assert "qp" not in EncoderSettings(vcodec="h264_nvenc", crf=None).options()


@pytest.mark.parametrize("vcodec", ["mpeg2", "libaom-av1", "h264_vaapi", "av1_nvenc"])
def test_an_unknown_codec_is_refused_with_the_known(vcodec):
    with pytest.raises(UsageError, match=vcodec) as caught:
        EncoderSettings.of({"vcodec": vcodec})
    assert all(name in str(caught.value) for name in (*CODECS, "auto"))


def test_a_preset_where_there_is_none_is_refused():
    with pytest.raises(UsageError, match="leave the preset out"):
        EncoderSettings.of({"vcodec": "h264_videotoolbox", "preset": "fast"})


def test_auto_is_h264():
    assert EncoderSettings.of({"vcodec": "auto"}).vcodec == "h264"
    assert EncoderSettings.of({"vcodec": "auto"}).options()["preset"] == "veryfast"
