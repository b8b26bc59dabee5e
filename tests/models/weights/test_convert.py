"""Checkpoints of PyTorch: our network gives the logits of the PyTorch network that wrote them.

The networks of `pytorch_networks` have random weights and statistics; their logits are scaled to a
standard deviation of 1 and compared to 1e-4.
"""

import pickle
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from a2keras import __main__ as command
from a2keras import models
from a2keras.errors import UserError
from a2keras.models import weights
from a2keras.models.commands import convert
from a2keras.models.weights import checkpoints, layouts
from a2keras.models.weights.assignment import variables_of
from a2keras.models.weights.translation import translate

sys.path.insert(0, str(Path(__file__).parents[1]))
from pytorch_networks import (
    CLASSES,
    LiteNetwork,
    R2Plus1D,
    VisionResNet,
    mfnet,
    nn,
    resnet50_lite,
    torch,
)

NETWORKS = {
    "resnet50_lite": (resnet50_lite, (64, 64)),
    "mfnet_2d": (lambda: mfnet(2), (64, 61)),
    "mfnet_3d": (lambda: mfnet(3), (6, 48, 33)),
    "resnet50": (VisionResNet, (64, 64)),
    "se_resnet50": (lambda: VisionResNet(gates=True), (37, 64)),
    "r2plus1d_18": (lambda: R2Plus1D((2, 2, 2, 2), True, 1e-5), (10, 32, 37)),
    "r2plus1d_34": (lambda: R2Plus1D((3, 4, 6, 3), False, 1e-3), (8, 32, 33)),
    "efficientnet_lite0": (LiteNetwork, (44, 51)),
}


def ready(module, x, seed=0):
    """Fills in random weights and statistics, scales logits on `x` to a standard deviation of 1."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for each in module.modules():
            if isinstance(each, nn.BatchNorm2d | nn.BatchNorm3d):
                # So small that the sums hardly grow from unit to unit.
                each.weight.uniform_(0.2, 0.7)
                each.running_var.uniform_(0.5, 1.5)
                each.bias.uniform_(-0.5, 0.5)
                each.running_mean.uniform_(-0.5, 0.5)
                each.num_batches_tracked.zero_()
            elif isinstance(each, nn.Conv2d | nn.Conv3d | nn.Linear):
                nn.init.kaiming_uniform_(each.weight)
                if each.bias is not None:
                    each.bias.uniform_(-0.5, 0.5)
        module.eval()
        last = [each for each in module.modules() if isinstance(each, nn.Linear)][-1]
        scale = module(x).std()
        last.weight /= scale
        last.bias /= scale
        return module(x).numpy()


@pytest.fixture(scope="module")
def pytorch():
    """{name: (module, inputs channels last, logits)}, each made once."""
    made = {}

    def network(name):
        if name not in made:
            make, size = NETWORKS[name]
            torch.manual_seed(1)
            x = torch.randn(2, 3, *size)
            with torch.device("meta"):  # nothing is initialised that `ready` fills anyway
                module = make()
            module.to_empty(device="cpu")
            made[name] = module, np.moveaxis(x.numpy(), 1, -1), ready(module, x)
        return made[name]

    return network


def logits(model, x):
    return ops.convert_to_numpy(model(np.ascontiguousarray(x), training=False))


def built(name, x, **arguments):
    """Our network for inputs x, as the layout of its checkpoints asks for, with logits."""
    layout = next(each for each in layouts.LAYOUTS if name in each.networks)
    return models.build(
        name, input_shape=x.shape[1:], classifier_activation=None,
        **{"classes": CLASSES, **layout.options, **arguments},
    )  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_those_of_pytorch(name, pytorch, tmp_path):
    module, x, expected = pytorch(name)
    torch.save(module.state_dict(), tmp_path / "a.pth")
    model = built(name, x)
    report = weights.convert(tmp_path / "a.pth", model)
    assert len(report.loaded) == len(model.weights)
    assert not report.new
    assert not report.notes
    # Of every array there is one left out: how many batches a normalisation has seen.
    counters = [key for key in module.state_dict() if key.endswith("num_batches_tracked")]
    reason = "a count of batches, for which Keras has no use"
    assert report.skipped == tuple((key, reason) for key in counters)
    assert 0.9 < expected.std() < 1.1
    np.testing.assert_allclose(logits(model, x), expected, rtol=0, atol=1e-4)


def test_other_padding_gives_other_logits_and_is_noted(pytorch):
    module, x, expected = pytorch("resnet50")
    state = {key: value.numpy() for key, value in module.state_dict().items()}
    model = built("resnet50", x, padding="same", stride_on="1x1")
    report = weights.convert(checkpoints.Checkpoint("memory", state, []), model)
    assert report.notes == (
        "the model is built with padding='same', the checkpoint's network with 'symmetric': their "
        "outputs differ",
        "the model is built with stride_on='1x1', the checkpoint's network with '3x3': their "
        "outputs differ",
    )
    assert np.abs(logits(model, x) - expected).max() > 0.1


def test_the_papers_start_from_imagenet_weights(pytorch, tmp_path):
    """resnet50-lite → A²-Net with five new blocks; fresh, they are the identity."""
    module, x, expected = pytorch("resnet50_lite")
    # As training scripts leave them: on several GPUs, beside the epoch and the optimizer's state.
    state = {f"module.{key}": value for key, value in module.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 90, "optimizer": {}}, tmp_path / "a.tar")
    model = built("a2_resnet50", x)
    before = {name: ops.convert_to_numpy(v.value) for name, v in variables_of(model).items()}
    with pytest.raises(
        ValueError, match=r"100 of \d+ variables .*nothing for conv3_1_attention \(20\), conv3_3"
    ):
        weights.convert(tmp_path / "a.tar", model)
    after = {name: ops.convert_to_numpy(v.value) for name, v in variables_of(model).items()}
    assert all(np.array_equal(after[name], before[name]) for name in before)
    report = weights.convert(tmp_path / "a.tar", model, skip_mismatch=True)
    assert len(report.new) == 100
    assert all("attention" in name for name in report.new)
    assert report.skipped[:2] == (("epoch", "beside 'state_dict'"),
                                  ("optimizer", "beside 'state_dict'"))  # fmt: skip
    np.testing.assert_allclose(logits(model, x), expected, rtol=0, atol=1e-4)


def vmz_blobs(module):
    """Caffe2's names of the weights of R(2+1)D-34 (VMZ), whose units are counted through."""
    ends = {"weight": "s", "bias": "b", "running_mean": "rm", "running_var": "riv"}
    blobs = {}

    def keep(part, name):
        if isinstance(part, nn.BatchNorm3d):
            for ours, theirs in ends.items():
                blobs[f"{name}_{theirs}"] = getattr(part, ours).detach().numpy()
        else:
            blobs[f"{name}_w"] = part.weight.detach().numpy()

    for index, name in {0: "conv1_middle", 1: "conv1_middle_spatbn_relu", 3: "conv1",
                        4: "conv1_spatbn_relu"}.items():  # fmt: skip
        keep(module.stem[index], name)
    units = [unit for number in range(1, 5) for unit in getattr(module, f"layer{number}")]
    for number, unit in enumerate(units):
        for part in (1, 2):
            convolutions, bn = getattr(unit, f"conv{part}")
            keep(convolutions[0], f"comp_{number}_conv_{part}_middle")
            keep(convolutions[1], f"comp_{number}_spatbn_{part}_middle")
            keep(convolutions[3], f"comp_{number}_conv_{part}")
            keep(bn, f"comp_{number}_spatbn_{part}")
        if hasattr(unit, "downsample"):
            keep(unit.downsample[0], f"shortcut_projection_{number}")
            keep(unit.downsample[1], f"shortcut_projection_{number}_spatbn")
    keep(module.fc, f"last_out_L{CLASSES}")
    blobs[f"last_out_L{CLASSES}_b"] = module.fc.bias.detach().numpy()
    return blobs


def test_blobs_of_vmz(pytorch, tmp_path):
    module, x, expected = pytorch("r2plus1d_34")
    blobs = vmz_blobs(module)
    blobs |= {"lr": np.float32(0.1), "conv1_w_momentum": np.zeros((64, 45, 3, 1, 1), "float32")}
    (tmp_path / "r2plus1d_34.pkl").write_bytes(pickle.dumps({"blobs": blobs}, protocol=4))
    model = built("r2plus1d_34", x)
    report = weights.convert(tmp_path / "r2plus1d_34.pkl", model)
    assert len(report.loaded) == len(model.weights)
    assert report.skipped == (
        ("lr", "not an array of numbers"), ("conv1_w_momentum", "not in the layout"),
    )  # fmt: skip
    np.testing.assert_allclose(logits(model, x), expected, rtol=0, atol=1e-4)


def test_every_weight_of_resnet152_has_its_place():
    with torch.device("meta"):
        state = VisionResNet((3, 8, 36, 3)).state_dict()
    arrays = {key: np.broadcast_to(np.float32(0), tuple(v.shape)) for key, v in state.items()}
    model = models.ResNet152(classes=CLASSES, input_shape=(32, 32, 3))
    found, skipped = translate(layouts.layout_of(arrays), arrays, variables_of(model))
    assert {name: tuple(v.shape) for name, v in variables_of(model).items()} == {
        name: array.shape for name, array in found.items()
    }
    assert {key.rsplit(".", 1)[1] for key, _ in skipped} == {"num_batches_tracked"}


# Files


@pytest.fixture(scope="module")
def checkpoint(pytorch, tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "resnet50.pth"
    torch.save(pytorch("resnet50")[0].state_dict(), path)
    return path


def test_a_tensor_file_keeps_its_numbers(tmp_path):
    saved = {
        "single": torch.arange(6.0).reshape(2, 3).T,
        "half": torch.tensor([1.5], dtype=torch.float16),
        "brain": torch.tensor([3.140625], dtype=torch.bfloat16),
        "count": torch.tensor(3),
        "name": "text",
    }
    torch.save(saved, tmp_path / "a.pt")
    found = checkpoints.read(tmp_path / "a.pt")
    assert found.arrays["single"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found.arrays["half"].dtype == "float16"
    assert found.arrays["brain"].dtype == "float32"
    assert found.arrays["brain"][0] == 3.140625
    assert found.arrays["count"] == 3
    assert found.others == [("name", "not an array of numbers")]


class Evil:
    def __reduce__(self):
        import os

        return os.mkdir, (str(self.folder),)


def test_a_pickle_in_a_pytorch_file_is_refused_and_not_run(tmp_path):
    evil = Evil()
    evil.folder = tmp_path / "made"
    torch.save({"a": evil}, tmp_path / "a.pth")
    with pytest.raises(
        ValueError, match=r"a.pth is no checkpoint of tensors alone \(it names .*mkdir"
    ):
        checkpoints.read(tmp_path / "a.pth")
    assert not evil.folder.exists()
    torch.save(nn.Linear(2, 3), tmp_path / "b.pth")  # a whole module
    with pytest.raises(ValueError, match=r"names torch\.nn\S+Linear\), and nothing else is loaded"):
        checkpoints.read(tmp_path / "b.pth")
    torch.save(torch.zeros(3), tmp_path / "c.pth")
    with pytest.raises(ValueError, match=r"c.pth holds ndarray, not a state dict of names"):
        checkpoints.read(tmp_path / "c.pth")


@pytest.mark.parametrize("old_format", [False, True])
@pytest.mark.parametrize("length", [1, 100, 5000, -5000, -1])
def test_a_cut_off_checkpoint_is_refused(length, old_format, tmp_path):
    torch.save(
        VisionResNet((1, 1, 1, 1)).state_dict() if length == 1 else {"a": torch.zeros(50, 70)},
        tmp_path / "a.pth", _use_new_zipfile_serialization=not old_format,
    )  # fmt: skip
    data = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(data[: length if length > 0 else len(data) + length])
    with pytest.raises(ValueError, match=r"a\.pth is no .*(or a part of one|cut off)"):
        checkpoints.read(tmp_path / "a.pth")


# The command


def test_the_command_writes_weights_and_says_how_to_use_them(checkpoint, pytorch, tmp_path, capsys):
    _, x, expected = pytorch("resnet50")
    output = tmp_path / "resnet50.weights.h5"
    command.run(["convert", str(checkpoint), "--model=resnet50", f"--output={output}"])
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        f"a2keras.models.build('resnet50', classes=7, padding='symmetric', stride_on='3x3', "
        f"weights={str(output)!r})",
        "input of the published weights: RGB of 0 to 255, (x - (123.675, 116.28, 103.53)) * "
        "(0.0171248, 0.017507, 0.0174292)",
    ]
    assert "resnet50: 267 of 267 variables loaded from" in told.err
    assert "skipped 53 (a count of batches, for which Keras has no use): bn1.num_b" in told.err
    assert [path.name for path in tmp_path.iterdir()] == ["resnet50.weights.h5"]
    model = built("resnet50", x, weights=str(output))
    np.testing.assert_allclose(logits(model, x), expected, rtol=0, atol=1e-4)


def test_the_command_writes_models_for_other_classes(checkpoint, pytorch, tmp_path, capsys):
    arguments = ["convert", str(checkpoint), "--model=resnet50", f"--output={tmp_path}/a.keras"]
    with pytest.raises(
        UserError, match=r"2 of 267 .*shape \(2048, 7\), .*: --skip_mismatch leaves"
    ):
        command.run([*arguments, "--classes=5"])
    assert not list(tmp_path.iterdir())
    settings = ["--set", "stride_on=1x1", "--set", "attention=a2", "--set", "positions=conv4_2",
                "--set", "reduction=8"]  # fmt: skip
    command.run([*arguments, "--classes=5", "--skip_mismatch", *settings])
    assert capsys.readouterr().out.startswith("import a2keras, keras; keras.saving.load_model(")
    model = keras.saving.load_model(tmp_path / "a.keras")
    assert model.output_shape == (None, 5)
    assert model.get_layer("conv4_2_attention").value_channels == 1024 // 8
    assert model.get_layer("conv3_1_1_conv").strides == (2, 2)
    kernel = pytorch("resnet50")[0].state_dict()["layer3.5.conv2.weight"].numpy()
    found = ops.convert_to_numpy(model.get_layer("conv4_6_2_conv").kernel)
    assert np.array_equal(found, kernel.transpose(2, 3, 1, 0))


def test_mistakes_with_a_checkpoint_are_told_in_a_sentence(checkpoint, tmp_path):
    def mistake(*arguments):
        with pytest.raises(UserError) as error:
            command.run(["convert", str(checkpoint), f"--output={tmp_path}/a.keras", *arguments])
        return str(error.value)

    assert mistake("--model=r2plus1d_34") == (
        "a checkpoint of the layout torchvision_resnet fits resnet50 or resnet152 or se_resnet50. "
        "Received: --model=r2plus1d_34"
    )
    assert "--set takes option=value with one of attention, positions," in mistake(
        "--model=resnet50", "--set", "stride=3x3"
    )
    assert mistake("--model=resnet50", "--set", "stride_on=5x5") == (
        "`stride_on` must be '1x1' or '3x3'. Received: stride_on='5x5'"
    )
    assert "(nothing for conv2_1_se (4), conv2_2_se (4), " in mistake("--model=se_resnet50")
    assert "nothing in" in mistake("--model=resnet50_lite", "--layout=glore")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["net.v1.weights.h5", "net.keras"])
def test_a_link_in_the_place_of_the_output_is_replaced(tmp_path, name):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / name).symlink_to(tmp_path / "victim")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    convert._save(model, tmp_path / name)
    assert (tmp_path / "victim").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, "victim"]
    assert not (tmp_path / name).is_symlink()
    with pytest.raises(
        UserError, match=r"^--output=.*/absent/net.keras cannot be written: No such"
    ):
        convert._save(model, tmp_path / "absent" / "net.keras")
