"""Networks of the paper's tables as Keras builders; written by `make stubs`."""

import os
from collections.abc import Callable
from typing import Any

import keras

from a2keras.models.zoo import build as build
from a2keras.models.zoo import builder as builder
from a2keras.models.zoo import features as features
from a2keras.models.zoo import is_video as is_video
from a2keras.models.zoo import list_models as list_models
from a2keras.models.zoo import preprocess_input as preprocess_input

def A2EfficientNetLite0(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = "a2",
    positions: tuple[str, ...] | list[str] = (
        "conv4_1",
        "conv4_2",
        "conv5_2",
        "conv5_3",
        "conv6_2",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """EfficientNet-Lite0 with five blocks on bottlenecks of 28×28 and 14×14: compact networks
    are the future work that the paper names

    Args:
        include_top: whether the classifier stands on top.
        weights: None, "imagenet", or the path of a `.weights.h5` or `.keras` file, or of a
            checkpoint of another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "a2_efficientnet_lite0".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def A2MFNet2D(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = "a2",
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_3",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """MF-Net 2D with five blocks at conv3 and conv4, the future work that the paper names

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "a2_mfnet_2d".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def A2MFNet3D(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = "a2",
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_3",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """MF-Net 3D with five blocks at conv3 and conv4, the future work that the paper names

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (frames, height, width, channels), with None for an unknown size; default
            (16, 224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "a2_mfnet_3d".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def A2MobileNetV2(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = "a2",
    positions: tuple[str, ...] | list[str] = (
        "conv4_1",
        "conv4_3",
        "conv5_2",
        "conv5_4",
        "conv6_3",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """MobileNetV2 1.0 with five blocks on bottlenecks of 28×28 and 14×14, the future work that
    the paper names

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "a2_mobilenet_v2".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def A2ResNet11(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = "a2",
    positions: tuple[str, ...] | list[str] = ("conv3_1", "conv4_1"),
    reduction: int = 4,
    padding: str = "same",
    synchronized: bool = False,
    variant: str = "a",
    stem: str | None = None,
) -> keras.Model:
    """a small network of Table 1's kind, for demonstrations and small data

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (112, 112, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "a2_resnet11".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).
        variant: "a", stride on the middle convolutions; "b", spatial stride on the first ones and
            time halved by pooling behind the first unit, as for Table 1's 31.3 G of ResNet-50.
        stem: None, the network's own; "small", a 3×3 convolution (videos: 3×3×3) of stride 1
            without pooling, as He et al. (2016) begin networks for pictures of 32×32 pixels.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def A2ResNet11Video(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = "a2",
    positions: tuple[str, ...] | list[str] = ("conv3_1", "conv4_1"),
    reduction: int = 4,
    padding: str = "same",
    synchronized: bool = False,
    variant: str = "a",
    stem: str | None = None,
) -> keras.Model:
    """a small network of Table 1's kind, for demonstrations and small data

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (frames, height, width, channels), with None for an unknown size; default
            (8, 112, 112, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "a2_resnet11_video".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).
        variant: "a", stride on the middle convolutions; "b", spatial stride on the first ones and
            time halved by pooling behind the first unit, as for Table 1's 31.3 G of ResNet-50.
        stem: None, the network's own; "small", a 3×3 convolution (videos: 3×3×3) of stride 1
            without pooling, as He et al. (2016) begin networks for pictures of 32×32 pixels.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def A2ResNet50(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = "a2",
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_3",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
    variant: str = "a",
    stem: str | None = None,
) -> keras.Model:
    """Table 4: Table 1's ResNet-50 without its temporal dimension, with five blocks

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "a2_resnet50".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).
        variant: "a", stride on the middle convolutions; "b", spatial stride on the first ones and
            time halved by pooling behind the first unit, as for Table 1's 31.3 G of ResNet-50.
        stem: None, the network's own; "small", a 3×3 convolution (videos: 3×3×3) of stride 1
            without pooling, as He et al. (2016) begin networks for pictures of 32×32 pixels.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def A2ResNet50Video(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = "a2",
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_3",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
    variant: str = "a",
    stem: str | None = None,
) -> keras.Model:
    """Tables 5 and 6: Table 1's ResNet-50 with five blocks at conv3 and conv4

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (frames, height, width, channels), with None for an unknown size; default
            (8, 224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "a2_resnet50_video".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).
        variant: "a", stride on the middle convolutions; "b", spatial stride on the first ones and
            time halved by pooling behind the first unit, as for Table 1's 31.3 G of ResNet-50.
        stem: None, the network's own; "small", a 3×3 convolution (videos: 3×3×3) of stride 1
            without pooling, as He et al. (2016) begin networks for pictures of 32×32 pixels.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def A2ShuffleNetV2(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = "a2",
    positions: tuple[str, ...] | list[str] = ("stage3_4", "stage3_8"),
    reduction: int = 4,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """ShuffleNetV2 1.0× with two blocks on all channels of stage 3, the future work that the
    paper names

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "a2_shufflenet_v2".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def C3D(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = ("conv3_1", "conv3_2", "conv4_1", "conv4_2"),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """Table 6: C3D (Tran et al., 2015). Its weights for Caffe want padding 'same', their
    ports to PyTorch 'symmetric'

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (frames, height, width, channels), with None for an unknown size; default
            (16, 112, 112, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "c3d".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def ConvNetLSTM(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_2",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
    all_steps: bool = False,
) -> keras.Model:
    """Table 5: ConvNet+LSTM (Carreira and Zisserman, 2017) on 25 frames, 5 a second

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (frames, height, width, channels), with None for an unknown size; default
            (25, 224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "convnet_lstm".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).
        all_steps: whether the classifier gives (B, frames, classes), a prediction after every
            frame, for a loss on all of them, instead of the last step's (B, classes).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def EfficientNetLite0(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = (
        "conv4_1",
        "conv4_2",
        "conv5_2",
        "conv5_3",
        "conv6_2",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """EfficientNet-Lite0 (Google, 2020; Tan and Le, ICML 2019)

    Args:
        include_top: whether the classifier stands on top.
        weights: None, "imagenet", or the path of a `.weights.h5` or `.keras` file, or of a
            checkpoint of another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "efficientnet_lite0".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def I3D(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_2",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
    branch_2: str = "3x3x3",
) -> keras.Model:
    """Tables 5 and 6: I3D (Carreira and Zisserman, 2017), Inception-v1 inflated

    Args:
        include_top: whether the classifier stands on top.
        weights: None, "kinetics400", "kinetics400+ut_interaction", or the path of a `.weights.h5`
            or `.keras` file, or of a checkpoint of another library that `a2keras convert`
            knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (frames, height, width, channels), with None for an unknown size; default
            (64, 224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "i3d".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).
        branch_2: "3x3x3", as released; "1x1x1", kernels of the third branches that give
            the 107.9 G of Tables 5 and 6, for the count only.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def InceptionV1(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_2",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """Inception-v1 (Szegedy et al., 2015) with batch normalisation: I3D before inflation

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "inception_v1".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def MFNet2D(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_3",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """MF-Net 2D (Chen et al., ECCV 2018): MF-Net 3D without its temporal dimension

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "mfnet_2d".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def MFNet3D(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_3",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """MF-Net 3D (Chen et al., ECCV 2018)

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (frames, height, width, channels), with None for an unknown size; default
            (16, 224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "mfnet_3d".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def MobileNetV2(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = (
        "conv4_1",
        "conv4_3",
        "conv5_2",
        "conv5_4",
        "conv6_3",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """MobileNetV2 1.0 (Sandler et al., CVPR 2018), as in keras.applications

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "mobilenet_v2".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def R2Plus1D18(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = ("conv3_1", "conv3_2", "conv4_1", "conv4_2"),
    reduction: int = 4,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """R(2+1)D-18 as torchvision has it, with one M per unit, for its checkpoints

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (frames, height, width, channels), with None for an unknown size; default
            (16, 112, 112, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "r2plus1d_18".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def R2Plus1D34(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_3",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """Tables 5 and 6: R(2+1)D-34 (Tran et al., 2018), as in facebookresearch/VMZ

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (frames, height, width, channels), with None for an unknown size; default
            (32, 112, 112, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "r2plus1d_34".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def Res3D18(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = ("conv3_1", "conv3_2", "conv4_1", "conv4_2"),
    reduction: int = 4,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """Table 6: Res3D-18 (Tran et al., 2017), as in facebookarchive/C3D

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (frames, height, width, channels), with None for an unknown size; default
            (8, 112, 112, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "res3d_18".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def ResNet152(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_3",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
    stride_on: str = "1x1",
    stem: str | None = None,
) -> keras.Model:
    """Table 4: the original ResNet-152 (He et al., 2016)

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "resnet152".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).
        stride_on: "1x1", stride on the first convolution of a stage, as published; "3x3", on its
            second one, as torchvision and timm have it ("v1.5").
        stem: None, the network's own; "small", a 3×3 convolution (videos: 3×3×3) of stride 1
            without pooling, as He et al. (2016) begin networks for pictures of 32×32 pixels.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def ResNet20(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = ("conv3_2", "conv4_2"),
    reduction: int = 4,
    padding: str = "same",
    synchronized: bool = False,
    variant: str = "a",
    stem: str | None = None,
) -> keras.Model:
    """a small network of Table 1's kind that two cores can train; not He et al.'s ResNet-20

    Args:
        include_top: whether the classifier stands on top.
        weights: None, "cifar10", or the path of a `.weights.h5` or `.keras` file, or of a
            checkpoint of another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (112, 112, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "resnet20".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).
        variant: "a", stride on the middle convolutions; "b", spatial stride on the first ones and
            time halved by pooling behind the first unit, as for Table 1's 31.3 G of ResNet-50.
        stem: None, the network's own; "small", a 3×3 convolution (videos: 3×3×3) of stride 1
            without pooling, as He et al. (2016) begin networks for pictures of 32×32 pixels.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def ResNet26Video(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = ("conv4_2",),
    reduction: int = 4,
    padding: str = "same",
    synchronized: bool = False,
    variant: str = "a",
    stem: str | None = None,
) -> keras.Model:
    """Table 1

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (frames, height, width, channels), with None for an unknown size; default
            (16, 112, 112, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "resnet26_video".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).
        variant: "a", stride on the middle convolutions; "b", spatial stride on the first ones and
            time halved by pooling behind the first unit, as for Table 1's 31.3 G of ResNet-50.
        stem: None, the network's own; "small", a 3×3 convolution (videos: 3×3×3) of stride 1
            without pooling, as He et al. (2016) begin networks for pictures of 32×32 pixels.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def ResNet29Video(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = ("conv4_2",),
    reduction: int = 4,
    padding: str = "same",
    synchronized: bool = False,
    variant: str = "a",
    stem: str | None = None,
) -> keras.Model:
    """Table 1

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (frames, height, width, channels), with None for an unknown size; default
            (16, 112, 112, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "resnet29_video".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).
        variant: "a", stride on the middle convolutions; "b", spatial stride on the first ones and
            time halved by pooling behind the first unit, as for Table 1's 31.3 G of ResNet-50.
        stem: None, the network's own; "small", a 3×3 convolution (videos: 3×3×3) of stride 1
            without pooling, as He et al. (2016) begin networks for pictures of 32×32 pixels.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def ResNet50(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_3",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
    stride_on: str = "1x1",
    stem: str | None = None,
) -> keras.Model:
    """Table 4: the original ResNet-50 (He et al., 2016)

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "resnet50".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).
        stride_on: "1x1", stride on the first convolution of a stage, as published; "3x3", on its
            second one, as torchvision and timm have it ("v1.5").
        stem: None, the network's own; "small", a 3×3 convolution (videos: 3×3×3) of stride 1
            without pooling, as He et al. (2016) begin networks for pictures of 32×32 pixels.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def ResNet50Lite(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_3",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
    variant: str = "a",
    stem: str | None = None,
) -> keras.Model:
    """Table 4's network without its blocks: the image ResNet-50 of the authors' code

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "resnet50_lite".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).
        variant: "a", stride on the middle convolutions; "b", spatial stride on the first ones and
            time halved by pooling behind the first unit, as for Table 1's 31.3 G of ResNet-50.
        stem: None, the network's own; "small", a 3×3 convolution (videos: 3×3×3) of stride 1
            without pooling, as He et al. (2016) begin networks for pictures of 32×32 pixels.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def ResNet50Video(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_3",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
    variant: str = "a",
    stem: str | None = None,
) -> keras.Model:
    """Table 1

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (frames, height, width, channels), with None for an unknown size; default
            (8, 224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "resnet50_video".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).
        variant: "a", stride on the middle convolutions; "b", spatial stride on the first ones and
            time halved by pooling behind the first unit, as for Table 1's 31.3 G of ResNet-50.
        stem: None, the network's own; "small", a 3×3 convolution (videos: 3×3×3) of stride 1
            without pooling, as He et al. (2016) begin networks for pictures of 32×32 pixels.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def SEResNet50(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = (
        "conv3_1",
        "conv3_3",
        "conv4_1",
        "conv4_3",
        "conv4_5",
    ),
    reduction: int = 2,
    padding: str = "same",
    synchronized: bool = False,
    stride_on: str = "1x1",
    stem: str | None = None,
) -> keras.Model:
    """Table 4: SE-ResNet-50 (Hu et al., 2018)

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "se_resnet50".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).
        stride_on: "1x1", stride on the first convolution of a stage, as published; "3x3", on its
            second one, as torchvision and timm have it ("v1.5").
        stem: None, the network's own; "small", a 3×3 convolution (videos: 3×3×3) of stride 1
            without pooling, as He et al. (2016) begin networks for pictures of 32×32 pixels.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """

def ShuffleNetV2(
    include_top: bool = True,
    weights: str | os.PathLike[str] | None = None,
    input_tensor: Any = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: str | None = None,
    classes: int | None = None,
    classifier_activation: str | Callable[[Any], Any] | None = "softmax",
    name: str | None = None,
    *,
    attention: str | None = None,
    positions: tuple[str, ...] | list[str] = ("stage3_4", "stage3_8"),
    reduction: int = 4,
    padding: str = "same",
    synchronized: bool = False,
) -> keras.Model:
    """ShuffleNetV2 1.0× (Ma et al., ECCV 2018), as in torchvision

    Args:
        include_top: whether the classifier stands on top.
        weights: None, or the path of a `.weights.h5` or `.keras` file, or of a checkpoint of
            another library that `a2keras convert` knows.
        input_tensor: a Keras tensor to build on, such as preprocessed pixels; default a new input.
        input_shape: (height, width, channels), with None for an unknown size; default
            (224, 224, 3). Channels last, unless Keras is set otherwise.
        pooling: without a top, None for feature maps, "avg" or "max" for one vector.
        classes: outputs of the classifier; default 1000, or as many as the weights have, if known.
        classifier_activation: "softmax", another name or function, or None for logits.
        name: of the model; default "shufflenet_v2".
        attention: kind of the blocks: "a2", "non_local", "se" or None.
        positions: names of the units that a block follows where there is attention: "conv4_2".
        reduction: a block's projections have its input's channels divided by this; "se" has none.
        padding: "same", or "symmetric" for weights that come from PyTorch or Caffe.
        synchronized: batch normalisation goes by the batches of all replicas (TensorFlow).

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: an argument that breaks one of these rules.
        UserError: published weights that cannot be fetched.
    """
