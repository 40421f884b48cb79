"""lerobot's vision-language-action policy through `demodeck train`: from random weights of its kind in a folder.

Needs transformers (`pip install 'demodeck[language]'`), whose import every command would pay for: `make` leaves it out.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_train_command import train

pytest.importorskip("transformers", reason="pip install 'demodeck[language]'")

TASKS = ("lift the cube", "push the cube")
FLAGS = [
    "--policy.type=smolvla",
    "--policy.num_vlm_layers=2",
    "--policy.chunk_size=4",
    "--policy.n_action_steps=2",
]
FLAGS += [
    "--policy.resize_imgs_with_padding=[32,32]",
    "--policy.max_state_dim=8",
    "--policy.max_action_dim=8",
]
FLAGS += ["--policy.device=cpu", "--batch_size=4", "--steps=6", "--log_freq=1", "--num_threads=1"]


@pytest.fixture(scope="module")
def tiny_vlm(tmp_path_factory):
    """A folder like that of SmolVLM2 on the Hub: configuration, 2 layers of width 32, a processor of 4 words."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import (
        PreTrainedTokenizerFast,
        SmolVLMConfig,
        SmolVLMImageProcessor,
        SmolVLMProcessor,
        SmolVLMVideoProcessor,
    )

    folder = tmp_path_factory.mktemp("tiny-smolvlm")
    marks = {"image_token": "<image>", "fake_image_token": "<fake_token_around_image>"}
    marks |= {"global_image_token": "<global-img>", "end_of_utterance_token": "<end_of_utterance>"}
    words = ["<pad>", "<unk>", *marks.values(), *sorted(set(" ".join(TASKS).split()))]
    tokens = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, "<unk>"))
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokens, pad_token="<pad>", unk_token="<unk>", extra_special_tokens=marks
    )
    size = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2}
    text = {"model_type": "llama", "num_hidden_layers": 2, "num_key_value_heads": 1, "head_dim": 16}
    SmolVLMConfig(
        text_config={**size, **text, "vocab_size": len(words), "pad_token_id": 0},
        vision_config={**size, "num_hidden_layers": 1, "image_size": 32, "patch_size": 8},
        scale_factor=2, image_token_id=words.index("<image>"), pad_token_id=0,
    ).save_pretrained(folder)  # fmt: skip
    edge = {"longest_edge": 32}
    picture, film = (
        kind(size=edge, max_image_size=edge) for kind in (SmolVLMImageProcessor, SmolVLMVideoProcessor)
    )
    SmolVLMProcessor(picture, tokenizer, film, image_seq_len=4).save_pretrained(folder)
    return folder


def test_smolvla_learns_two_tasks_from_a_filmed_set_and_flies_as_told(
    write_dataset, tiny_vlm, tmp_path, capsys
):
    from collector.teleoperators.policy import Policy, PolicyConfig

    root = write_dataset(tmp_path / "data", video=True, tasks=TASKS)
    run = tmp_path / "run"
    assert train(root, run, *FLAGS, f"--policy.vlm_model_name={tiny_vlm}", kind=None) == 0
    assert "smolvla: 74," in capsys.readouterr().err
    picture = np.full((32, 48, 3), 90, np.uint8)
    picture[:, 10:18] = 200
    seen = {"a.pos": 0.5, "b.pos": -0.5, "c.pos": 0.0, "environment_state": [0.0, 0.0], "front": picture}

    def flown(task, **other):
        pilot = Policy(PolicyConfig(path=str(run), device="cpu", task=task))
        pilot.connect()
        torch.manual_seed(0)
        pilot.observe({**seen, **other})
        return pilot.get_action()

    first = flown(TASKS[0])
    assert len(first) == 3
    assert flown(TASKS[0]) == first
    assert flown(TASKS[1]) != first, "it hears the words"
    assert flown(TASKS[0], front=picture[:, ::-1].copy()) != first, "it sees the camera"
