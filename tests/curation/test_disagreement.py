"""`demodeck score --policy`: how far flights are from what a policy would do is one more soft score."""

import json

import numpy as np
import pytest
from synthetic_arm import FPS, NAMES

from collector.dataset.reader import Dataset

onnx = pytest.importorskip("onnx", reason="demodeck[onnx] is not installed")
pytest.importorskip("onnxruntime", reason="demodeck[onnx] is not installed")


def policy(path, looks_at="observation.state", fps=FPS, shape=(1, 2, 6), conditioned=False, **known):
    """Write a policy that goes for five steps where the arm was at the older of two observations, as if exported."""
    from onnx import TensorProto, helper

    seen = helper.make_tensor_value_info(looks_at, TensorProto.FLOAT, shape)
    does = helper.make_tensor_value_info("actions", TensorProto.FLOAT, (1, 5, *shape[2:]))
    numbers = {"begin": [0], "end": [1], "axis": [1], "times": [1, 5, *[1] * (len(shape) - 2)]}
    nodes = [
        helper.make_node("Slice", [looks_at, "begin", "end", "axis"], ["older"]),
        helper.make_node("Tile", ["older", "times"], ["actions"]),
    ]
    tensors = [helper.make_tensor(n, TensorProto.INT64, (len(v),), v) for n, v in numbers.items()]
    inputs = [seen]
    if conditioned:  # the task leaves the actions as they are, but must be told
        inputs.append(helper.make_tensor_value_info("task_index", TensorProto.INT64, (1,)))
    graph = helper.make_graph(nodes, "policy", inputs, [does], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    told = {"fps": fps, "n_action_steps": 3, "state_names": NAMES, "action_names": NAMES} | known
    helper.set_model_props(model, {k: v if isinstance(v, str) else json.dumps(v) for k, v in told.items()})
    path.write_bytes(model.SerializeToString())
    return path


def test_it_is_the_distance_to_what_the_policy_would_do(arm, curate):
    policy(arm.parent / "policy.onnx")
    code, out, err = curate("score", "arm", "--policy", "policy.onnx")
    assert code == 0, err
    line = next(line for line in out.splitlines() if line.startswith("disagreement "))
    assert "actions as the policy would choose" in line
    code, out, _ = curate(
        "query", "arm", "SELECT disagreement FROM episodes ORDER BY episode_index", "--json"
    )
    found = [row["disagreement"] for row in json.loads(out)]
    dataset = Dataset.open(arm)
    from curation.run import read_episodes, reference_for

    episodes = read_episodes(dataset, range(dataset.num_episodes))
    scale = reference_for(dataset, episodes).action_scale
    state, action = episodes[2].state, episodes[2].action
    errors = [
        np.sqrt(np.mean(((action[t : t + 3] - state[max(0, t - 1)]) / scale) ** 2))
        for t in np.unique(np.linspace(0, len(state) - 1, 32).astype(int))
    ]
    assert found[2] == pytest.approx(np.median(errors), rel=1e-3)
    assert len(found) == 14 and all(value > 0 for value in found)


def test_what_does_not_fit_is_one_line(arm, refuses):
    path = arm.parent / "policy.onnx"
    refuses("score", "arm", "--policy", path, words=["there is no file"])
    path.write_bytes(b"\x00\x1b[2Jrubbish" * 50)
    refuses("score", "arm", "--policy", path, words=["is no policy"])
    policy(path, fps=50)
    refuses("score", "arm", "--policy", path, words=["50 Hz", "20"])
    policy(path, state_names=["a", "b", "c", "d", "e", "f"])
    refuses("score", "arm", "--policy", path, words=["observation.state", "another robot"])
    policy(path, "observation.force")
    refuses("score", "arm", "--policy", path, words=["observation.force", "has none"])
    policy(path, "observation.images.front", shape=(1, 2, 3, 6))
    refuses("score", "arm", "--policy", path, words=["looks at", "observation.images.front"])


def test_a_task_that_the_policy_does_not_know_has_no_score(arm, curate):
    from curation.disagreement import FilePolicy, ranking_by_policy
    from curation.run import read_episodes, reference_for

    dataset = Dataset.open(arm)
    asked = FilePolicy(policy(arm.parent / "policy.onnx", tasks=["Move the cube, way 1"], conditioned=True))
    episodes = read_episodes(dataset, range(4))
    scores = ranking_by_policy(asked, dataset.tasks).of(episodes, reference_for(dataset, episodes))
    assert np.isnan(scores).tolist() == [True, False, True, False]
