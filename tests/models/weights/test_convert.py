"""Checkpoints of PyTorch: our network gives the logits of the PyTorch network that wrote them.

The PyTorch networks are written here from the papers and from the names that the public code gives
its modules, with random weights and statistics; their logits are scaled to a standard deviation
of 1 and compared to 1e-4.
"""

import pickle
from collections import OrderedDict

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

torch = pytest.importorskip("torch", reason="converting .pth files needs PyTorch (the torch extra)")
nn = torch.nn
CLASSES = 7


def conv(i, o, kernel, stride=1, groups=1, bias=False):
    """A convolution of the rank of its kernel with PyTorch's usual padding k // 2."""
    kind = nn.Conv3d if len(kernel) == 3 else nn.Conv2d
    return kind(i, o, kernel, stride, [k // 2 for k in kernel], groups=groups, bias=bias)


def norm(channels, rank, eps=1e-5):
    return (nn.BatchNorm3d if rank == 3 else nn.BatchNorm2d)(channels, eps=eps)


def mean(x):
    return x.flatten(2).mean(2)


class Brc(nn.Module):
    """BN → ReLU → convolution."""

    def __init__(self, i, o, kernel, stride=1, groups=1, eps=1e-5):
        super().__init__()
        self.bn = norm(i, len(kernel), eps)
        self.conv = conv(i, o, kernel, stride, groups)

    def forward(self, x):
        return self.conv(torch.relu(self.bn(x)))


class PreActivationUnit(nn.Module):
    """GloRe: 1×1, 3×3, 1×1; the projection has a BN of its own."""

    def __init__(self, i, middle, o, stride, first):
        super().__init__()
        self.conv_m1 = Brc(i, middle, (1, 1), eps=1e-4)
        self.conv_m2 = Brc(middle, middle, (3, 3), stride, eps=1e-4)
        self.conv_m3 = Brc(middle, o, (1, 1), eps=1e-4)
        self.conv_w1 = Brc(i, o, (1, 1), stride, eps=1e-4) if first else nn.Identity()

    def forward(self, x):
        return self.conv_m3(self.conv_m2(self.conv_m1(x))) + self.conv_w1(x)


class FiberUnit(nn.Module):
    """MF-Net: multiplexer, grouped 3×3(×3), then grouped 3×3 or, in first units, 1×1."""

    def __init__(self, i, o, stride, first, rank):
        super().__init__()
        one, three = (1,) * rank, (3,) * rank
        self.conv_i1 = Brc(i, o // 4, one)
        self.conv_i2 = Brc(o // 4, i, one)
        self.conv_m1 = Brc(i, o, three, stride, groups=16)
        last = (o, o, one) if first else (o, o, (1, 3, 3)[-rank:], 1, 16)
        self.conv_m2 = Brc(*last)
        self.conv_w1 = Brc(i, o, one, stride) if first else nn.Identity()

    def forward(self, x):
        mixed = x + self.conv_i2(self.conv_i1(x))
        return self.conv_m2(self.conv_m1(mixed)) + self.conv_w1(x)


class ChenNetwork(nn.Module):
    """conv1 with its BN, stages `conv2`… of units `B01`…, `tail` and `classifier`."""

    def __init__(self, stem, stages, eps):
        super().__init__()
        self.conv1 = nn.Sequential(
            OrderedDict(conv=stem, bn=norm(stem.out_channels, stem.weight.ndim - 2, eps))
        )
        for number, units in enumerate(stages, 2):
            names = [f"B{each:02d}" for each in range(1, len(units) + 1)]
            setattr(
                self, f"conv{number}", nn.Sequential(OrderedDict(zip(names, units, strict=True)))
            )
        last = getattr(units[-1], "conv_m3", units[-1].conv_m2).conv
        self.tail = nn.Sequential(
            OrderedDict(bn=norm(last.out_channels, last.weight.ndim - 2, eps))
        )
        self.classifier = nn.Linear(last.out_channels, CLASSES)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        pool = nn.functional.max_pool3d if x.ndim == 5 else nn.functional.max_pool2d
        axes = slice(5 - x.ndim, None)
        x = pool(x, (1, 3, 3)[axes], (1, 2, 2)[axes], (0, 1, 1)[axes])
        for stage in (self.conv2, self.conv3, self.conv4, self.conv5):
            x = stage(x)
        return self.classifier(mean(torch.relu(self.tail(x))))


def resnet50_lite():
    stages, i = [], 32
    for number, units in enumerate((3, 4, 6, 3)):
        o = 256 * 2**number
        first = PreActivationUnit(i, o // 4, o, 2 if number else 1, True)
        others = [PreActivationUnit(o, o // 4, o, 1, False) for _ in range(units - 1)]
        stages.append([first, *others])
        i = o
    return ChenNetwork(conv(3, 32, (5, 5), 2), stages, 1e-4)


def mfnet(rank):
    stages, i = [], 16
    for number, (o, units) in enumerate(zip((96, 192, 384, 768), (3, 4, 6, 3), strict=True)):
        stride = (1, 2, 2) if number else (2, 1, 1)
        stages.append([
            FiberUnit(o if each else i, o, 1 if each else stride[-rank:], not each, rank)
            for each in range(units)
        ])  # fmt: skip
        i = o
    return ChenNetwork(conv(3, 16, (3, 5, 5)[-rank:], (1, 2, 2)[-rank:]), stages, 1e-5)


class Gate(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // 16, 1)
        self.fc2 = nn.Conv2d(channels // 16, channels, 1)

    def forward(self, x):
        squeezed = torch.relu(self.fc1(x.mean((2, 3), keepdim=True)))
        return x * torch.sigmoid(self.fc2(squeezed))


class Bottleneck(nn.Module):
    def __init__(self, i, middle, stride, first, gates):
        super().__init__()
        o = 4 * middle
        self.conv1, self.bn1 = conv(i, middle, (1, 1)), norm(middle, 2)
        self.conv2, self.bn2 = conv(middle, middle, (3, 3), stride), norm(middle, 2)
        self.conv3, self.bn3 = conv(middle, o, (1, 1)), norm(o, 2)
        if gates:
            self.se = Gate(o)
        if first:
            self.downsample = nn.Sequential(conv(i, o, (1, 1), stride), norm(o, 2))

    def forward(self, x):
        h = torch.relu(self.bn1(self.conv1(x)))
        h = self.bn3(self.conv3(torch.relu(self.bn2(self.conv2(h)))))
        h = self.se(h) if hasattr(self, "se") else h
        return torch.relu(h + (self.downsample(x) if hasattr(self, "downsample") else x))


class VisionResNet(nn.Module):
    def __init__(self, units=(3, 4, 6, 3), gates=False):
        super().__init__()
        self.conv1, self.bn1 = conv(3, 64, (7, 7), 2), norm(64, 2)
        i = 64
        for number, count in enumerate(units, 1):
            middle = 32 * 2**number
            stage = []
            for each in range(count):
                stage.append(
                    Bottleneck(i, middle, 2 if number > 1 and not each else 1, not each, gates)
                )
                i = 4 * middle
            setattr(self, f"layer{number}", nn.Sequential(*stage))
        self.fc = nn.Linear(2048, CLASSES)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.fc(mean(self.layer4(self.layer3(self.layer2(self.layer1(x))))))


def factored(i, o, middle, stride, eps):
    return nn.Sequential(
        conv(i, middle, (1, 3, 3), (1, stride, stride)), norm(middle, 3, eps), nn.ReLU(),
        conv(middle, o, (3, 1, 1), (stride, 1, 1)),
    )  # fmt: skip


class BasicUnit(nn.Module):
    def __init__(self, i, o, stride, shared, eps):
        super().__init__()
        middles = [27 * c * o // (9 * c + 3 * o) for c in (i, i if shared else o)]
        self.conv1 = nn.Sequential(factored(i, o, middles[0], stride, eps), norm(o, 3, eps))
        self.conv2 = nn.Sequential(factored(o, o, middles[1], 1, eps), norm(o, 3, eps))
        if stride > 1:
            self.downsample = nn.Sequential(conv(i, o, (1, 1, 1), stride), norm(o, 3, eps))

    def forward(self, x):
        h = self.conv2(torch.relu(self.conv1(x)))
        return torch.relu(h + (self.downsample(x) if hasattr(self, "downsample") else x))


class R2Plus1D(nn.Module):
    """One middle size per unit and eps 1e-5 (torchvision), or one per convolution and 1e-3."""

    def __init__(self, units, shared, eps):
        super().__init__()
        self.stem = nn.Sequential(
            conv(3, 45, (1, 7, 7), (1, 2, 2)), norm(45, 3, eps), nn.ReLU(),
            conv(45, 64, (3, 1, 1)), norm(64, 3, eps), nn.ReLU(),
        )  # fmt: skip
        i = 64
        for number, count in enumerate(units, 1):
            o = 32 * 2**number
            stage = []
            for each in range(count):
                stage.append(BasicUnit(i, o, 2 if number > 1 and not each else 1, shared, eps))
                i = o
            setattr(self, f"layer{number}", nn.Sequential(*stage))
        self.fc = nn.Linear(512, CLASSES)

    def forward(self, x):
        return self.fc(mean(self.layer4(self.layer3(self.layer2(self.layer1(self.stem(x)))))))


NETWORKS = {
    "resnet50_lite": (resnet50_lite, (64, 64)),
    "mfnet_2d": (lambda: mfnet(2), (64, 61)),
    "mfnet_3d": (lambda: mfnet(3), (6, 48, 33)),
    "resnet50": (VisionResNet, (64, 64)),
    "se_resnet50": (lambda: VisionResNet(gates=True), (37, 64)),
    "r2plus1d_18": (lambda: R2Plus1D((2, 2, 2, 2), True, 1e-5), (10, 32, 37)),
    "r2plus1d_34": (lambda: R2Plus1D((3, 4, 6, 3), False, 1e-3), (8, 32, 33)),
}


def same(x, kernel, stride):
    """TensorFlow's padding: the odd zero behind."""
    zeros = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[2:]]
    height, width = ((each // 2, each - each // 2) for each in zeros)
    return nn.functional.pad(x, (*width, *height))


class LiteUnit(nn.Module):
    """efficientnet-lite-pytorch: expansion, depthwise convolution, projection."""

    def __init__(self, expansion, i, o, kernel, stride):
        super().__init__()
        self.sizes, self.adds = (kernel, stride), i == o and stride == 1
        middle = i * expansion
        if expansion > 1:
            self._expand_conv = conv(i, middle, (1, 1))
            self._bn0 = norm(middle, 2, 1e-3)
        self._depthwise_conv = nn.Conv2d(middle, middle, kernel, stride, groups=middle, bias=False)
        self._bn1 = norm(middle, 2, 1e-3)
        self._project_conv = conv(middle, o, (1, 1))
        self._bn2 = norm(o, 2, 1e-3)

    def forward(self, inputs):
        x, relu6 = inputs, nn.functional.relu6
        if hasattr(self, "_expand_conv"):
            x = relu6(self._bn0(self._expand_conv(x)))
        x = relu6(self._bn1(self._depthwise_conv(same(x, *self.sizes))))
        x = self._bn2(self._project_conv(x))
        return x + inputs if self.adds else x


class LiteNetwork(nn.Module):
    """EfficientNet-Lite0 by its strings: r2_k3_s22_e6_i16_o24 and so on."""

    def __init__(self):
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = norm(32, 2, 1e-3)
        stages = [(1, 3, 1, 1, 32, 16), (2, 3, 2, 6, 16, 24), (2, 5, 2, 6, 24, 40),
                  (3, 3, 2, 6, 40, 80), (3, 5, 1, 6, 80, 112), (4, 5, 2, 6, 112, 192),
                  (1, 3, 1, 6, 192, 320)]  # fmt: skip
        self._blocks = nn.ModuleList(
            LiteUnit(e, o if each else i, o, k, 1 if each else s)
            for r, k, s, e, i, o in stages
            for each in range(r)
        )
        self._conv_head = conv(320, 1280, (1, 1))
        self._bn1 = norm(1280, 2, 1e-3)
        self._fc = nn.Linear(1280, CLASSES)

    def forward(self, x):
        x = nn.functional.relu6(self._bn0(self._conv_stem(same(x, 3, 2))))
        for block in self._blocks:
            x = block(x)
        return self._fc(mean(nn.functional.relu6(self._bn1(self._conv_head(x)))))


NETWORKS["efficientnet_lite0"] = (LiteNetwork, (44, 51))


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
