"""Networks in PyTorch, from the papers and the names that the public code gives its modules."""

from collections import OrderedDict

import pytest

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

    def __init__(self, i, o, stride, first, rank, fibers):
        super().__init__()
        one, three = (1,) * rank, (3,) * rank
        self.conv_i1 = Brc(i, o // 4, one)
        self.conv_i2 = Brc(o // 4, i, one)
        self.conv_m1 = Brc(i, o, three, stride, groups=fibers)
        last = (o, o, one) if first else (o, o, (1, 3, 3)[-rank:], 1, fibers)
        self.conv_m2 = Brc(*last)
        self.conv_w1 = Brc(i, o, one, stride) if first else nn.Identity()

    def forward(self, x):
        mixed = x + self.conv_i2(self.conv_i1(x))
        return self.conv_m2(self.conv_m1(mixed)) + self.conv_w1(x)


class ChenNetwork(nn.Module):
    """conv1 with its BN, stages `conv2`… of units `B01`…, `tail` and `classifier`."""

    def __init__(self, stem, stages, eps, classes=CLASSES):
        super().__init__()
        self.conv1 = nn.Sequential(
            OrderedDict(conv=stem, bn=norm(stem.out_channels, stem.weight.ndim - 2, eps))
        )
        self.stages = [f"conv{number}" for number in range(2, len(stages) + 2)]
        for stage, units in zip(self.stages, stages, strict=True):
            names = [f"B{each:02d}" for each in range(1, len(units) + 1)]
            setattr(self, stage, nn.Sequential(OrderedDict(zip(names, units, strict=True))))
        last = getattr(units[-1], "conv_m3", units[-1].conv_m2).conv
        self.tail = nn.Sequential(
            OrderedDict(bn=norm(last.out_channels, last.weight.ndim - 2, eps))
        )
        self.classifier = nn.Linear(last.out_channels, classes)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        pool = nn.functional.max_pool3d if x.ndim == 5 else nn.functional.max_pool2d
        axes = slice(5 - x.ndim, None)
        x = pool(x, (1, 3, 3)[axes], (1, 2, 2)[axes], (0, 1, 1)[axes])
        for stage in self.stages:
            x = getattr(self, stage)(x)
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


MFNET = ((96, 3), (192, 4), (384, 6), (768, 3))  # channels and units of its stages


def mfnet(rank, stem=16, sizes=MFNET, fibers=16, classes=CLASSES):
    stages, i = [], stem
    for number, (o, units) in enumerate(sizes):
        stride = (1, 2, 2) if number else (2, 1, 1)
        stages.append([
            FiberUnit(o if each else i, o, 1 if each else stride[-rank:], not each, rank, fibers)
            for each in range(units)
        ])  # fmt: skip
        i = o
    convolution = conv(3, stem, (3, 5, 5)[-rank:], (1, 2, 2)[-rank:])
    return ChenNetwork(convolution, stages, 1e-5, classes)


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
