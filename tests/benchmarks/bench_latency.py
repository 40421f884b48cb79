"""How long a policy thinks: one chunk for one observation, on one core, beside lerobot's diffusion policy and act.

    python tests/benchmarks/bench_latency.py [--calls=100] [--threads=1] [--rows=REGEX]

PushT's sizes (18 numbers seen twice, 16 actions of 2), fresh weights: latency does not depend on what was learnt.
Policies take turns, call by call, so that what else the machine does strikes all alike; one that has had 10 s sits out.
Processor milliseconds are of all threads. "ONNX" rows are what `demodeck export` writes, run by onnxruntime, where that
is installed. Acceptance: p50 of at most 3 ms.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from lerobot.configs import FeatureType, PolicyFeature
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.act.modeling_act import ACTPolicy
from lerobot.policies.diffusion.configuration_diffusion import DiffusionConfig
from lerobot.policies.diffusion.modeling_diffusion import DiffusionPolicy

from training.policies.action_diffusion import ActionDiffusionConfig, ActionDiffusionPolicy
from training.policies.bc import BcConfig, BcPolicy

N_OBS_STEPS = 2
WARM_UP = 1  # calls that do not count
LONGEST_S = 10.0
SEEN = {
    "observation.state": PolicyFeature(FeatureType.STATE, (2,)),
    "observation.environment_state": PolicyFeature(FeatureType.ENV, (16,)),
}
DONE = {"action": PolicyFeature(FeatureType.ACTION, (2,))}


ONNX = ", ONNX"


def policies() -> dict[str, Any]:
    """Return the policies by the name of their row; those of `ONNX` rows are given as they are exported."""
    common = {"input_features": dict(SEEN), "output_features": dict(DONE), "device": "cpu"}
    made: dict[str, Any] = {
        "bc": BcPolicy(BcConfig(**common, n_obs_steps=N_OBS_STEPS)),
        "bc, gmm": BcPolicy(BcConfig(**common, n_obs_steps=N_OBS_STEPS, head="gmm")),
    }
    for network in ("mlp", "unet", "transformer"):
        for steps in (1, 2, 5, 10) if network == "mlp" else (5,):
            config = ActionDiffusionConfig(
                **common, n_obs_steps=N_OBS_STEPS, network=network, num_inference_steps=steps
            )
            made[f"action_diffusion, {network}, DDIM-{steps}"] = ActionDiffusionPolicy(config)
    for name, settings in (
        ("mlp, DDIM-20", {"num_inference_steps": 20}),
        ("mlp, Euler-5", {"prediction_type": "velocity"}),
        ("transformer of 64, DDIM-5", {"network": "transformer", "hidden_dim": 128}),
    ):
        config = ActionDiffusionConfig(**common, n_obs_steps=N_OBS_STEPS, **settings)
        made[f"action_diffusion, {name}"] = ActionDiffusionPolicy(config)
    for name, settings in (
        ("mlp, DDIM-5", {}),
        ("unet, DDIM-5", {"network": "unet"}),
        ("transformer, DDIM-5", {"network": "transformer"}),
    ):
        config = ActionDiffusionConfig(**common, n_obs_steps=N_OBS_STEPS, compile_model=True, **settings)
        made[f"action_diffusion, {name}, compiled"] = ActionDiffusionPolicy(config)
    config = ActionDiffusionConfig(**common, n_obs_steps=N_OBS_STEPS, sampler="ddpm")
    made["action_diffusion, mlp, DDPM-100"] = ActionDiffusionPolicy(config)
    made["lerobot act"] = ACTPolicy(ACTConfig(**common, chunk_size=16, n_action_steps=8))
    # Its default, DDPM over 100 levels, asks its network ten times as often.
    made["lerobot diffusion, DDIM-10"] = DiffusionPolicy(
        DiffusionConfig(**common, noise_scheduler_type="DDIM", num_inference_steps=10)
    )
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnxscript"):
        for network in ("mlp", "unet", "transformer"):
            name = f"action_diffusion, {network}, DDIM-5"
            made[name + ONNX] = made[name]
    return made


def caller(name: str, policy: Any) -> Callable[[], Any]:
    """Return what computes one chunk from a new observation."""
    if name.endswith(ONNX):
        return _by_onnxruntime(policy)

    def ours() -> Any:
        windows = {key: torch.randn(1, N_OBS_STEPS, *feature.shape) for key, feature in SEEN.items()}
        return policy.predict_action_chunk(windows)

    def lerobots() -> Any:
        policy.reset()
        return policy.select_action({key: torch.randn(1, *feature.shape) for key, feature in SEEN.items()})

    return ours if policy.name in ("bc", "action_diffusion") else lerobots


def _by_onnxruntime(policy: Any) -> Callable[[], Any]:
    import onnxruntime

    from training.onnx_export import in_bytes
    from training.onnx_graph import Exported

    exported = Exported(policy.eval(), lambda batch: batch, lambda actions: actions)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        in_bytes(exported.traced()), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {key: value.numpy() for key, value in exported.example().items()})


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", default="", help="regular expression of the rows to measure (default: all)")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    made = {name: policy for name, policy in policies().items() if re.search(given.rows, name)}
    calls = {name: caller(name, policy.eval()) for name, policy in made.items()}
    wall_ms: dict[str, list[float]] = {name: [] for name in made}
    busy_ms: dict[str, list[float]] = {name: [] for name in made}
    with torch.inference_mode():
        for call in range(given.calls + WARM_UP):
            for name, chunk in calls.items():
                if sum(wall_ms[name]) > LONGEST_S * 1e3:
                    continue
                began_s, began_busy_s = time.perf_counter(), time.process_time()
                chunk()
                if call >= WARM_UP:
                    wall_ms[name].append((time.perf_counter() - began_s) * 1e3)
                    busy_ms[name].append((time.process_time() - began_busy_s) * 1e3)
    print("| policy | weights [M] | calls | p50 [ms] | p99 [ms] | processor p50 [ms] |")
    print("|---|---|---|---|---|---|")
    for name, policy in made.items():
        millions = sum(weight.numel() for weight in policy.parameters()) / 1e6
        p50, p99 = np.percentile(wall_ms[name], (50, 99))
        busy = np.percentile(busy_ms[name], 50)
        print(f"| {name} | {millions:.2f} | {len(wall_ms[name])} | {p50:.2f} | {p99:.2f} | {busy:.2f} |")


if __name__ == "__main__":
    main()
