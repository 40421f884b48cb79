"""`compile_model`: the same actions sooner where there is a C++ compiler, and the same actions where there is none."""

from __future__ import annotations

import shutil

import pytest
import torch
from policies_of_three_joints import small, some_batch

from training.policies import chunk


@pytest.fixture(autouse=True)
def no_compiler_s_leftovers(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    torch._dynamo.reset()
    chunk._compiled.cache_clear()
    yield
    torch._dynamo.reset()
    chunk._compiled.cache_clear()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_a_compiled_policy_acts_as_the_plain_one_and_draws_the_same_noise(capsys):
    settings = {"sampler": "ddpm", "num_train_timesteps": 5}
    plain, compiled = [small("action_diffusion", compile_model=on, **settings) for on in (False, True)]
    compiled.load_state_dict(plain.state_dict())
    for seed in range(3):
        batch = some_batch(n=1, seed=seed)
        chunks = []
        for policy in (plain, compiled):
            torch.manual_seed(seed)
            chunks.append(policy.predict_action_chunk(batch))
        assert torch.allclose(*chunks, atol=1e-5)
    assert "cannot be compiled" not in capsys.readouterr().err


def test_without_a_compiler_they_act_all_the_same_and_say_so_once(monkeypatch, capsys):
    monkeypatch.setenv("CXX", "/no/such/compiler")
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("/no/such/compiler",))
    plain, compiled = [small("bc", compile_model=on) for on in (False, True)]
    compiled.load_state_dict(plain.state_dict())
    for seed in range(2):
        batch = some_batch(n=1, seed=seed)
        assert torch.equal(plain.predict_action_chunk(batch), compiled.predict_action_chunk(batch))
    assert capsys.readouterr().err.count("install a C++ compiler") == 1
