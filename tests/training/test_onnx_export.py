"""`demodeck export`: the file acts as the policy that it was made of, and says what a program must know to fly it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from test_train_command import one_line, train

import demodeck

onnxruntime = pytest.importorskip("onnxruntime", reason="demodeck[onnx] is not installed")
pytest.importorskip("onnxscript", reason="demodeck[onnx] is not installed")
CAMERA = "observation.images.front"


def exported(run, path, *flags):
    return demodeck.main(["export", f"--policy.path={run}", f"--output={path}", *flags])


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_a_program_without_torch_flies_as_the_pilot_does(write_dataset, tmp_path, capsys):
    """Observations and actions in the robot's units; cameras, several observations and tasks among them."""
    from collector.teleoperators.policy import Policy, PolicyConfig

    root = write_dataset(tmp_path / "data", video=True, tasks=("pick", "place"))
    sees = f"--policy.inputs=[observation.state,observation.environment_state,{CAMERA}]"
    flags = [sees, "--policy.n_obs_steps=2", "--policy.n_action_steps=1", "--steps=3"]
    assert train(root, tmp_path / "run", *flags, kind="action_diffusion") == 0
    capsys.readouterr()
    assert exported(tmp_path / "run", tmp_path / "policy.onnx", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["difference"] < 1e-5
    assert told["inputs"][CAMERA] == [1, 2, 3, 32, 48]

    pilot = Policy(PolicyConfig(path=str(tmp_path / "run"), device="cpu", task="place"))
    pilot.connect()
    file = session(tmp_path / "policy.onnx")
    known = file.get_modelmeta().custom_metadata_map
    assert (known["fps"], json.loads(known["tasks"])) == ("20", ["pick", "place"])
    rng = np.random.default_rng(0)
    seen, names = [], json.loads(known["state_names"])
    for tick in range(3):
        joints, scene = 3 * rng.normal(size=3), rng.normal(size=2)
        picture = rng.integers(0, 256, (32, 48, 3), dtype=np.uint8)
        pilot.observe(
            dict(zip(names, joints.tolist())) | {"environment_state": scene.tolist(), "front": picture}
        )
        torch.manual_seed(tick)
        flown = pilot.get_action()
        seen.append((joints, scene, picture.transpose(2, 0, 1) / 255))
        window = [seen[max(0, len(seen) - 2)], seen[-1]]
        states, scenes, pictures = (np.float32(np.stack(values))[None] for values in zip(*window))
        torch.manual_seed(tick)
        inputs = {"observation.state": states, "observation.environment_state": scenes, CAMERA: pictures}
        inputs |= {"task_index": np.array([1]), "noise": torch.randn(1, 4, 3).numpy()}
        first = file.run(["actions"], inputs)[0][0, 0]
        assert dict(zip(json.loads(known["action_names"]), first)) == pytest.approx(flown, abs=1e-4)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("bc", ["--policy.head=gmm"]),
        ("action_diffusion", ["--policy.network=unet", "--policy.hidden_dim=64"]),
    ],
)
def test_each_kind_is_written(small_dataset, tmp_path, capsys, kind, settings):
    assert (
        train(small_dataset, tmp_path / "run", *settings, "--policy.n_layers=1", "--steps=2", kind=kind) == 0
    )
    assert exported(tmp_path / "run", tmp_path / "policy.onnx", "--policy.settings={n_action_steps: 1}") == 0
    assert "differ from the policy's by at most" in capsys.readouterr().out
    assert session(tmp_path / "policy.onnx").get_outputs()[0].shape == [1, 4, 3]


def test_what_cannot_be_exported_says_so_in_a_line(small_dataset, tmp_path, capsys):
    file = tmp_path / "policy.onnx"
    assert exported(tmp_path / "nothing", file) == 3
    assert "neither a folder with a policy" in one_line(capsys)
    assert (
        train(small_dataset, tmp_path / "run", "--policy.sampler=ddpm", "--steps=2", kind="action_diffusion")
        == 0
    )
    capsys.readouterr()
    assert exported(tmp_path / "run", file) == 2
    assert "take '{sampler: ddim}'" in one_line(capsys)
    assert exported(tmp_path / "run", file, "--policy.settings={sampler: fast}") == 2
    assert "sampler=fast: choose one of" in one_line(capsys)
    assert not file.exists()
