"""The rules that keep the rooms apart, seen in the modules that are really loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
HEAVY = {"torch", "lerobot", "mujoco", "mink", "pygame", "textual", "serial", "diffusers", "starlette"}


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=240
    )
    return set(result.stdout.split())


def roots(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


def test_help_loads_nothing_heavy():
    loaded = loaded_by("import demodeck; demodeck.usage()")
    assert not roots(loaded) & (HEAVY | {"numpy", "pyarrow", "curation", "training"})


@pytest.mark.parametrize("leaf", ["dataset", "hub"])
def test_the_leaves_load_nothing_of_ours_but_themselves_and_nothing_heavy(leaf):
    modules = [
        f"collector.{leaf}.{path.stem}" for path in sorted((PROJECT / "collector" / leaf).glob("[a-z]*.py"))
    ]
    loaded = loaded_by("import " + ", ".join(modules))
    ours = {m for m in loaded if m.partition(".")[0] in ("collector", "curation", "training")}
    allowed = {"collector", "collector.errors", "collector.flags", f"collector.{leaf}"}
    assert {m for m in ours if not m.startswith(f"collector.{leaf}.")} <= allowed
    assert not roots(loaded) & (HEAVY - ({"starlette"} if leaf == "hub" else set()))


def test_the_screen_process_of_a_session_loads_neither_torch_nor_lerobot():
    assert not roots(loaded_by("import collector.session.process")) & HEAVY


def test_the_recorder_process_loads_no_device_library():
    assert not roots(loaded_by("import collector.session.recorder")) & HEAVY


def test_the_control_process_flies_lerobots_arms_without_torch():
    devices = (
        "collector.robots.sim_so101, lerobot.robots.so_follower, lerobot.robots.bi_so_follower, "
        "lerobot.teleoperators.so_leader, lerobot.cameras.opencv, collector.teleoperators.policy"
    )
    loaded = loaded_by(
        "from collector.without_torch import leave_torch_out; leave_torch_out(); "
        f"import collector.session.control, {devices}"
    )
    assert "torch" not in roots(loaded)


def test_lerobots_modules_have_the_real_torch_as_soon_as_they_use_it():
    loaded = loaded_by(
        "from collector.without_torch import leave_torch_out; leave_torch_out(); "
        "from lerobot.utils import get_safe_torch_device; "
        "assert 'torch' not in sys.modules; "
        "assert str(get_safe_torch_device('cpu')) == 'cpu'; "
        "import torch; from lerobot.lerobot_types import PolicyAction; assert PolicyAction is torch.Tensor; "
        "import lerobot.lerobot_types as types; assert not hasattr(types, 'Tensor')"
    )
    assert "torch" in loaded


def test_with_torch_there_already_lerobot_is_loaded_as_ever():
    loaded_by(
        "from collector.without_torch import leave_torch_out; leave_torch_out(); import torch; "
        "import lerobot.lerobot_types as types; assert types.torch is torch; "
        "assert vars(types)['PolicyAction'] is torch.Tensor"
    )


def test_the_collector_loads_neither_curation_nor_training():
    loaded = loaded_by("import collector.cli, collector.session.control, collector.teleoperators.policy")
    assert not roots(loaded) & {"curation", "training"}


def test_curation_loads_no_torch():
    assert not roots(loaded_by("import curation.cli")) & {"torch", "lerobot", "mujoco"}


def test_datasets_folder_holds_no_python():
    """A Python file there would shadow Hugging Face's `datasets`, which lerobot imports."""
    assert not [path for path in (PROJECT / "datasets").rglob("*.py*") if path.suffix in (".py", ".pyc")]
