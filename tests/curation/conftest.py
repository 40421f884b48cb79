"""A recorded dataset of synthetic flights, three of them faulty, and the commands as users type them."""

from __future__ import annotations

import shutil
import time

import pytest
from arm_dataset import FAULTY, N_EPISODES, record
from synthetic_arm import flight, inject

import demodeck as command


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    """The dataset that all tests copy; nobody writes to it."""
    flights = [flight(seed) for seed in range(N_EPISODES)]
    flights = [inject(f, FAULTY[i], i) if i in FAULTY else f for i, f in enumerate(flights)]
    flights[5]["next.success"][:] = False
    return record(tmp_path_factory.mktemp("recorded") / "arm", flights)


@pytest.fixture
def arm(recorded, tmp_path, monkeypatch):
    """A copy of the dataset at `arm` in an empty working directory, for a curator called ann."""
    shutil.copytree(recorded, tmp_path / "arm")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEMODECK_AUTHOR", "ann")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "arm"


@pytest.fixture
def curate(capsys):
    """Run `demodeck ARGS` in this process; returns (exit code, stdout, stderr)."""

    def run(*args):
        code = command.main([str(a) for a in args])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def refuses(curate):
    """Run `demodeck ARGS`, which must fail with one line on stderr that has each of the words; returns it."""

    def run(*args, words=(), code=None):
        got, out, err = curate(*args)
        assert got != 0 and got != 70, err
        assert code is None or got == code, err
        assert out == "" and len(err.strip().splitlines()) == 1, (out, err)
        assert "Traceback" not in err and all(word in err for word in words), err
        return err

    return run


@pytest.fixture
def hub(start_demodeck, command_env, arm, tmp_path, monkeypatch):
    """A running Hub, and its client."""
    address = tmp_path / "address"
    process = start_demodeck(
        "hub", "serve", "--root", tmp_path / "hub", "--port", 0, "--address-file", address
    )
    while not address.exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    monkeypatch.setenv("HF_ENDPOINT", address.read_text().strip())
    command_env["HF_ENDPOINT"] = address.read_text().strip()
    from huggingface_hub import HfApi

    return HfApi(endpoint=address.read_text().strip())
