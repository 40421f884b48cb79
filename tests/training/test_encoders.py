"""What sees a camera's pictures: ResNets that begin anew or with others' weights, and the part that they look at."""

import pytest
import torch
import torchvision
from policies_of_three_joints import CAMERA, STATE, small, some_batch
from safetensors.torch import load_file, save_file
from test_train_command import one_line, train
from torch import nn

from collector.errors import UsageError
from training.checkpoints import PRETRAINED_MODEL
from training.policies.action_diffusion import ActionDiffusionPolicy
from training.policies.encoders import ImageEncoder, cropped

PICTURE = (3, 64, 64)
SEEN = [
    f"--policy.inputs=[{STATE},{CAMERA}]",
    "--steps=2",
    "--batch_size=4",
    "--policy.vision_backbone=resnet18",
    "--policy.image_size=40",
]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A ResNet-18 as timm's are on the Hub."""
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    state = torchvision.models.resnet18(weights=None).state_dict()
    save_file({key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}, path)
    return path


@pytest.mark.parametrize("backbone", ["narrow", "conv", "resnet18"])
def test_from_nothing_it_has_no_batch_statistics_and_learns(backbone):
    picture = (3, 40, 40)
    policy = small("bc", picture, inputs=[CAMERA], vision_backbone=backbone)
    batch = some_batch(n=4, picture=picture)
    for i, image in enumerate(batch[CAMERA]):  # a bright square in each corner
        image[:] = 0
        image[:, 20 * (i // 2) :, 20 * (i % 2) :][:, :20, :20] = 1
    assert not [layer for layer in policy.modules() if isinstance(layer, nn.BatchNorm2d)]
    optimizer = torch.optim.Adam(policy.get_optim_params(), 1e-3)
    losses = []
    for _ in range(24):
        optimizer.zero_grad()
        loss, _ = policy.forward(batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 1.5


def test_it_sees_what_the_network_sees_that_the_weights_are_of(weights):
    encoder = ImageEncoder(3, 96, 8, "resnet18", str(weights)).eval()
    whole = torchvision.models.resnet18(weights=None)
    whole.load_state_dict(load_file(weights), strict=False)
    images = torch.rand(2, 1, 3, 64, 64)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    maps = nn.Sequential(*list(whole.eval().children())[:-2])(
        torchvision.transforms.functional.normalize(images[:, 0], mean.tolist(), std.tolist())
    )
    seen = encoder.convolutions[0]((images[:, 0] - encoder.mean) / encoder.std)
    torch.testing.assert_close(seen, maps, atol=1e-4, rtol=1e-4)


def test_frozen_weights_stay_and_the_checkpoint_stands_alone(filmed_dataset, weights, tmp_path):
    path = tmp_path / "backbone.safetensors"
    path.write_bytes(weights.read_bytes())
    flags = [*SEEN, f"--policy.pretrained_backbone_weights={path}", "--policy.type=action_diffusion"]
    assert train(filmed_dataset, tmp_path / "run", *flags, "--policy.freeze_vision_encoder=true") == 0
    path.unlink()
    policy = ActionDiffusionPolicy.from_pretrained(
        tmp_path / "run" / "checkpoints" / "last" / PRETRAINED_MODEL
    )
    before = load_file(weights)
    backbone = policy.encoders[0].convolutions[0]
    assert torch.equal(backbone[0].weight, before["conv1.weight"])
    assert torch.equal(backbone[-1][1].bn2.running_var, before["layer4.1.bn2.running_var"])


def test_weights_of_another_network_are_refused(filmed_dataset, weights, tmp_path, capsys):
    flags = [*SEEN, "--policy.vision_backbone=resnet34", f"--policy.pretrained_backbone_weights={weights}"]
    assert train(filmed_dataset, tmp_path / "run", *flags) == 3
    assert "lacks 'layer1.2.conv1.weight' of --policy.vision_backbone=resnet34" in one_line(capsys)
    rubbish = tmp_path / "model.safetensors"
    rubbish.write_bytes(b"no tensors")
    assert (
        train(filmed_dataset, tmp_path / "run", *SEEN, f"--policy.pretrained_backbone_weights={rubbish}") == 3
    )
    assert "does not fit --policy.vision_backbone=resnet18" in one_line(capsys)


def test_settings_that_contradict_are_refused():
    with pytest.raises(UsageError, match=r"needs --policy.vision_backbone=resnet18"):
        small("bc", pretrained_backbone_weights="timm/resnet18.a1_in1k")
    with pytest.raises(UsageError, match=r"needs --policy.pretrained_backbone_weights"):
        small("bc", vision_backbone="resnet18", freeze_vision_encoder=True)
    with pytest.raises(UsageError, match=r"vision_backbone=resnet19: choose one of"):
        small("bc", vision_backbone="resnet19")
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        small("bc", crop_ratio=1.5)


def test_pictures_too_small_to_tell_a_place_are_refused():
    for backbone, ratio, seen, least in (("narrow", 0.25, "8x6", 9), ("conv", 0.5, "16x12", 17)):
        says = rf"32x24 px, of which the network sees {seen}: .* needs {least} px each way"
        with pytest.raises(ValueError, match=says):
            small("bc", inputs=[CAMERA], vision_backbone=backbone, crop_ratio=ratio)
    small("bc", inputs=[CAMERA], crop_ratio=0.5)


def test_a_part_of_the_picture_the_same_in_a_window():
    images = torch.arange(2 * 3 * 1 * 8 * 10).view(2, 3, 1, 8, 10)
    middle = cropped(images, 0.5, at_random=False)
    assert torch.equal(middle, images[..., 2:6, 2:7])
    torch.manual_seed(0)
    begins = set()
    for _ in range(40):
        part = cropped(images, 0.5, at_random=True)
        assert part.shape == (2, 3, 1, 4, 5)
        offset = part - part[:, :1, :, :1, :1]
        assert torch.equal(offset[0], offset[1])
        assert torch.equal(offset[:, 1] - offset[:, 0], torch.full_like(offset[:, 0], 80)), (
            "one place in a window"
        )
        assert (offset[0, 0, 0] == torch.arange(4)[:, None] * 10 + torch.arange(5)).all()
        begins |= {int(begin) % 80 for begin in part[:, 0, 0, 0, 0]}
    assert len(begins) > 15, "of 5 x 6 places"


def test_the_middle_flies():
    policy, batch = small("bc", PICTURE, inputs=[CAMERA], crop_ratio=0.5), some_batch(n=2, picture=PICTURE)
    edge = batch[CAMERA].clone()
    edge[..., :16, :] = 0
    actions = policy.predict_action_chunk(batch)
    assert torch.equal(policy.predict_action_chunk({CAMERA: edge}), actions)
    assert not torch.equal(policy.predict_action_chunk({CAMERA: edge * 0}), actions)
