"""A moment opened in another program, or as a still picture; and one line where neither can be."""

import os
import shutil
import stat
import subprocess
import sys

import pytest
from player_rig import run, settled, shared, store_as_images, told, until

from collector.dataset.reader import Dataset
from collector.errors import UsageError
from curation.elsewhere import open_elsewhere
from curation.rerun_view import main as rerun_view

CAMERA = "observation.images.cam1"
linux = pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="xdg-open")


@pytest.fixture
def root(tmp_path_factory):
    return shared(tmp_path_factory, "own")


@pytest.fixture
def desktop(tmp_path, monkeypatch):
    """A display, no rerun, and an empty folder of programs; returns a function that puts an `xdg-open` there."""
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / "bin").mkdir()

    def put(body):
        program = tmp_path / "bin" / "xdg-open"
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    return put


@linux
def test_the_systems_player_gets_the_video_and_the_person_the_time(root, desktop, tmp_path):
    desktop(f'echo "$1" > {tmp_path}/opened')
    dataset = Dataset.open(root)
    words = open_elsewhere(dataset, 1, 6, CAMERA)
    path, from_s = dataset.video_place(1, CAMERA)
    assert (tmp_path / "opened").read_text().strip() == str(path)
    assert from_s > 0 and f"{from_s + 6 / 30:.2f} s" in words


@linux
def test_what_the_systems_player_complains_about_is_said(root, desktop):
    desktop("echo 'warming up'; echo 'no application knows video/mp4' >&2; exit 3")
    with pytest.raises(UsageError, match="xdg-open' could not open it: no application knows"):
        open_elsewhere(Dataset.open(root), 0, 0, CAMERA)


@linux
def test_without_a_display_or_a_program_or_a_video_it_says_so(root, desktop, tmp_path, monkeypatch):
    dataset = Dataset.open(root)
    with pytest.raises(UsageError, match=r"no 'xdg-open' on this machine.*lerobot\[viz\]"):
        open_elsewhere(dataset, 0, 0, CAMERA)
    with pytest.raises(UsageError, match="no video"):
        open_elsewhere(dataset, 0, 0, None)
    shutil.copytree(root, tmp_path / "images")
    store_as_images(tmp_path / "images", CAMERA)
    with pytest.raises(UsageError, match="no video"):
        open_elsewhere(Dataset.open(tmp_path / "images"), 0, 0, CAMERA)
    dataset.video_place(0, CAMERA)[0].exists()
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(UsageError, match="no display"):
        open_elsewhere(dataset, 0, 0, CAMERA)


@linux
def test_the_key_tells_it_on_the_screen(root, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    async def test(pilot, app, player):
        player.show(0)
        await settled(pilot, player)
        await pilot.press("o")
        await until(pilot, lambda: any("no display" in words for words in told(app)))

    run(test, root)


@pytest.mark.parametrize("environ", [{"TERM": "xterm-256color"}, {"TERM": "xterm-kitty"}], ids=str)
def test_a_still_picture_or_the_terminals_that_show_one(root, environ, monkeypatch):
    for name in ("TMUX", "STY", "TERM_PROGRAM", "KITTY_WINDOW_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", environ["TERM"])

    async def test(pilot, app, player):
        player.show(0)
        await settled(pilot, player)
        await pilot.press("i")
        # A terminal under test cannot be put aside, whatever it is called.
        await until(pilot, lambda: any("kitty, WezTerm, foot" in words for words in told(app)))

    run(test, root)


def test_rerun_that_is_not_installed_is_one_line(root):
    program = "import sys; sys.modules['rerun'] = None; import curation.rerun_view as v; sys.exit(v.main(sys.argv[1:]))"
    args = [sys.executable, "-c", program, str(root), "0", "3"]
    result = subprocess.run(args, capture_output=True, text=True, env=os.environ)
    assert result.returncode == 2 and result.stderr.strip().splitlines() == [
        "rerun is not installed: 'pip install lerobot[viz]' brings it"
    ]


def test_rerun_gets_the_pictures_and_numbers_around_the_moment(root, tmp_path):
    pytest.importorskip("rerun")
    assert rerun_view([str(root), "0", "3", "--save", str(tmp_path / "moment.rrd")]) == 0
    assert (tmp_path / "moment.rrd").stat().st_size > 10_000


def test_rerun_of_no_episode_is_one_line(root, tmp_path, capsys):
    pytest.importorskip("rerun")
    assert rerun_view([str(root), "99", "3", "--save", str(tmp_path / "moment.rrd")]) == 1
    assert "no episode 99" in capsys.readouterr().err
