"""Real Hub servers in subprocesses on free loopback ports, as users start them."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

PROJECT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def patient_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let httpx wait for an answer as long as a busy disk takes; by itself it gives up after 5 s."""
    default = inspect.signature(httpx.get).parameters["timeout"].default
    for what in ("connect", "read", "write", "pool"):
        monkeypatch.setattr(default, what, 240.0)


class HubProcess:
    """A running `demodeck hub serve`."""

    def __init__(self, root: Path, *flags: str) -> None:
        self.root = root
        self._address_file = root.with_name(f"{root.name}.{time.monotonic_ns()}.address")
        command = [sys.executable, "demodeck.py", "hub", "serve", "--root", str(root), "--port", "0"]
        self.process = subprocess.Popen(
            [*command, "--address-file", str(self._address_file), *flags],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 240
        while not self._address_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(f"the Hub did not start: {self.process.communicate()}")
            time.sleep(0.02)
        self.address = self._address_file.read_text().strip()

    def kill(self) -> None:
        """`kill -9`."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Stop it by a signal; return exit code, stdout, stderr."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=240)
        return self.process.returncode, out, err


@pytest.fixture(scope="session")
def start_hub() -> Iterator[Callable[..., HubProcess]]:
    """Start Hubs that are gone when the tests end."""
    started: list[HubProcess] = []

    def start(root: Path, *flags: str) -> HubProcess:
        started.append(HubProcess(root, *flags))
        return started[-1]

    yield start
    for hub in started:
        if hub.process.poll() is None:
            hub.kill()


@pytest.fixture(scope="session")
def personal_hub(
    tmp_path_factory: pytest.TempPathFactory, start_hub: Callable[..., HubProcess]
) -> HubProcess:
    """One Hub without tokens for all tests that do not stop it; each uses repositories of its own."""
    return start_hub(tmp_path_factory.mktemp("personal") / "hub")


@pytest.fixture
def at_personal_hub(personal_hub: HubProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point `HF_ENDPOINT` and an empty `HF_HOME` at the Hub without tokens, without a token; return its address."""
    monkeypatch.setenv("HF_ENDPOINT", personal_hub.address)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("HF_TOKEN", "HF_HUB_CACHE", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return personal_hub.address


@pytest.fixture
def run_client(tmp_path: Path) -> Callable[..., str]:
    """Run Python code as a user would who has set HF_ENDPOINT and nothing else; return what it prints."""

    def run(address: str, code: str, *args: str) -> str:
        unset = ("HF_", "HUGGING", "TRANSFORMERS_")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(unset)}
        environment |= {
            "HF_ENDPOINT": address,
            "HF_HOME": str(tmp_path / "client"),
            "PYTHONPATH": str(PROJECT),
        }
        done = subprocess.run(
            [sys.executable, "-c", code, *args], env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    return run


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[[str, dict[str, bytes]], Path]:
    """Make a folder of files under the test's own."""

    def make(name: str, files: dict[str, bytes]) -> Path:
        for path, content in files.items():
            target = tmp_path / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        return tmp_path / name

    return make
