"""`demodeck report`: one page that needs nothing else, and does nothing with what a dataset's words hold."""

import base64
import io
import json
import re
import shutil
import subprocess

import av
import numpy as np
import pytest
from arm_dataset import FAULTY, N_EPISODES
from PIL import Image

from collector.dataset.labels import Labels

CHROMIUM = next(
    (name for name in ("chromium", "chromium-browser", "google-chrome") if shutil.which(name)), None
)
HOSTILE = "<script>document.title='taken'</script>\x1b[31m\u202e{{ 7 * 7 }}"


def data(page, kind):
    return [base64.b64decode(found) for found in re.findall(rf'"data:{kind};base64,([^"]+)"', page)]


@pytest.fixture
def written(arm, curate, tmp_path):
    curate("score", "arm")
    Labels(arm).set([min(FAULTY)], "note", HOSTILE, "ann")
    code, out, err = curate("report", "arm", "--output", "arm.html", "--json")
    assert code == 0, err
    said = json.loads(out)
    assert said["episodes"] == N_EPISODES and said["bytes"] == (tmp_path / "arm.html").stat().st_size
    return tmp_path / "arm.html"


def test_it_shows_what_was_found_with_pictures_that_move(written):
    page = written.read_text()
    assert f"<td>{N_EPISODES}</td>" in page and f"{len(FAULTY)} episodes with faults" in page
    for episode in FAULTY:
        assert f'id="episode-{episode}"' in page
    clips, strips = data(page, "video/mp4"), data(page, "image/jpeg")
    assert len(clips) == len(strips) == page.count("<article") >= len(FAULTY)
    for content in clips:
        with av.open(io.BytesIO(content)) as container:
            frames = list(container.decode(video=0))
        assert frames[0].width == 240 and 1 <= len(frames) <= 4 * 30 + 1
    assert all(Image.open(io.BytesIO(content)).width == 8 * 160 for content in strips)
    assert all(np.asarray(Image.open(io.BytesIO(content))).std() > 5 for content in data(page, "image/png"))
    assert len(data(page, "image/png")) == 3


def test_words_of_a_dataset_are_words(written):
    page = written.read_text()
    assert "<script" not in page and "&lt;script&gt;" in page and "{{ 7 * 7 }}" in page
    assert "\x1b" not in page and "\u202e" not in page
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(?!["']?data:)""", page)


@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium")
def test_a_browser_shows_it(written, tmp_path):
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-sync",
    ]
    flags += [
        "--disable-background-networking",
        "--disable-component-update",
        f"--user-data-dir={tmp_path / 'user'}",
    ]
    screenshot = tmp_path / "page.png"
    shot = [CHROMIUM, *flags, "--window-size=1000,1400", f"--screenshot={screenshot}", written.as_uri()]
    subprocess.run(shot, capture_output=True, check=True, timeout=400)
    picture = np.asarray(Image.open(screenshot).convert("L"))
    assert picture.shape[1] == 1000 and picture.std() > 10
    # Its pictures are decoded, and nothing in it may run.
    dumped = subprocess.run(
        [CHROMIUM, *flags, "--dump-dom", written.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=400,
    ).stdout
    assert "<title>arm</title>" in dumped and dumped.count("<video") == written.read_text().count("<video")


def test_a_set_without_pictures_or_scores(arm, curate, refuses, tmp_path):
    assert curate("report", "arm", "--output", "plain.html", "--worst", "0")[0] == 0
    page = (tmp_path / "plain.html").read_text()
    assert "No checks were run" in page and "<article" not in page
    curate("score", "arm")
    for video in (arm / "videos").rglob("*.mp4"):
        video.write_bytes(video.read_bytes()[:100])
    assert curate("report", "arm", "--output", "broken.html")[0] == 0
    page = (tmp_path / "broken.html").read_text()
    assert page.count("<article") == page.count("is no video") > 0

    refuses(
        "report",
        "arm",
        "--output",
        "plain.html",
        words=["plain.html is there already", "--overwrite"],
        code=2,
    )
    assert curate("report", "arm", "--output", "plain.html", "--overwrite", "--no-clips")[0] == 0
    refuses("report", "arm", "--output", "page.txt", words=["page.txt", ".html"], code=2)
    refuses("report", "arm", "--output", "no/where.html", words=["the folder no does not exist"], code=2)
    refuses("report", "arm", "--output", "x.html", "--worst", "-1", words=["--worst is -1"], code=2)
    refuses("report", "gone", "--output", "x.html", words=["gone"], code=3)
    assert not (tmp_path / "x.html").exists()
