"""Reading checkpoints without running them, their layouts, and mistakes with `a2keras convert`."""

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections import OrderedDict

import keras
import numpy as np
import pytest

from a2keras import __main__ as command
from a2keras import models
from a2keras.errors import UserError
from a2keras.models import weights
from a2keras.models.weights import checkpoints, layouts, torch_files
from a2keras.models.weights.assignment import variables_of
from a2keras.models.weights.translation import classes_of, in_keras_order, translate

ARRAY = np.arange(30, dtype="float32").reshape(2, 3, 5)


def written(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    return path


# Pickles


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_of_arrays_is_read(protocol, tmp_path):
    saved = OrderedDict(
        blobs={
            "plain": ARRAY,
            "by_columns": np.asfortranarray(ARRAY),
            "big_endian": ARRAY.astype(">f8"),
            "whole": np.arange(7, dtype="int64"),
            "true": np.array([True, False]),
            "scalar": np.float32(3),
            "text": ["a", b"b", 1.5, None],
        },
        epoch=3,
    )
    path = written(tmp_path, "a.pkl", pickle.dumps(saved, protocol=protocol))
    found = checkpoints.read(path)
    for name in ("plain", "by_columns", "big_endian", "whole", "true"):
        assert np.array_equal(found.arrays[name], saved["blobs"][name]), name
        assert found.arrays[name].dtype == saved["blobs"][name].dtype
    assert found.others == [
        ("epoch", "beside 'blobs'"),
        ("scalar", "not an array of numbers"),
        ("text", "not an array of numbers"),
    ]


def test_a_pickle_of_python_2_is_read(tmp_path):
    """As Python 2.7 wrote it, with its strings of bytes: VMZ's files are of that time."""
    numbers = struct.pack("<3f", 0.5, -2, 1e9)
    data = (
        b"\x80\x02}q\x00U\x07conv1_wq\x01"
        b"cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85q\x04U\x01bq\x05"
        b"\x87q\x06Rq\x07(K\x01K\x03\x85q\x08cnumpy\ndtype\nq\x09U\x02f4q\x0aK\x00K\x01\x87q\x0bRq"
        b"\x0c(K\x03U\x01<q\x0dNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0eb\x89U\x0c"
        + numbers
        + b"q\x0ftq\x10bs."
    )
    found = checkpoints.read(written(tmp_path, "a.pkl", data))
    assert found.arrays["conv1_w"].tolist() == [0.5, -2, 1e9]
    assert found.arrays["conv1_w"].dtype == "float32"


class Calls:
    """Pickled, it is a call of a function with arguments."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    ("function", "argument", "named"),
    [
        (os.mkdir, "{made}", "posix.mkdir"),
        (eval, "__import__('os').mkdir('{made}')", "eval"),
        (subprocess.check_call, ["mkdir", "{made}"], "check_call"),
        (np.load, "{made}", "numpy.*load"),
        (np.array, [1], "numpy.*array"),
        (bytearray, b"x", "bytearray"),
    ],
)
def test_a_pickle_that_calls_anything_is_refused_and_does_not(
    function, argument, named, protocol, tmp_path
):
    made = tmp_path / "made"
    if isinstance(argument, str):
        argument = argument.replace("{made}", str(made))
    elif argument[-1] == "{made}":
        argument = [argument[0], str(made)]
    saved = {"conv1_w": ARRAY, "evil": Calls(function, argument)}
    path = written(tmp_path, "a.pkl", pickle.dumps(saved, protocol=protocol))
    with pytest.raises(ValueError, match=rf"is no pickle of arrays alone.*\(it names .*{named}"):
        checkpoints.read(path)
    assert not made.exists()


def test_a_pickle_with_arrays_of_objects_or_codecs_is_refused(tmp_path):
    objects = pickle.dumps({"a": np.array([{}, None], dtype=object)}, protocol=2)
    records = pickle.dumps({"a": np.zeros(3, dtype=[("x", "f4"), ("y", "O")])}, protocol=2)
    encoding = b"c_codecs\nencode\n(Vabc\nVzlib\ntR."
    for data, message in (
        (objects, "arrays of O8"), (records, "arrays of V12"), (encoding, "text in zlib"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            checkpoints.read(written(tmp_path, "a.pkl", data))


@pytest.mark.parametrize("length", [1, 40, -20, -1])
def test_a_cut_off_pickle_is_refused(length, tmp_path):
    path = written(tmp_path, "a.pkl", pickle.dumps({"a": ARRAY}, protocol=2)[:length])
    with pytest.raises(ValueError, match="is no pickle of arrays alone, or a part of one"):
        checkpoints.read(path)


@pytest.mark.parametrize("data", [b"\x80\x02Nr\xff\xff\xff\x0f.", b"Np99999999\n."])
def test_a_pickle_that_remembers_more_than_it_holds(data, tmp_path):
    with pytest.raises(ValueError, match=rf"it remembers \d+ objects in {len(data)} bytes"):
        checkpoints.read(written(tmp_path, "a.pkl", data))


# Other files


def safetensors(**arrays):
    """Name → (kind, array): a length, a JSON header, the bytes of all arrays."""
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for name, (kind, array) in arrays.items():
        data = array.tobytes()
        header[name] = {
            "dtype": kind, "shape": list(array.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }  # fmt: skip
        body += data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def test_safetensors_are_read(tmp_path):
    halves = np.array([0x3F80, 0xC049], dtype="<u2")  # the upper halves of 1.0 and -3.140625
    data = safetensors(a=("F32", ARRAY), b=("BF16", halves), c=("I64", np.arange(3)))
    found = checkpoints.read(written(tmp_path, "a.safetensors", data))
    assert np.array_equal(found.arrays["a"], ARRAY)
    assert found.arrays["b"].astype("float32").tolist() == [1.0, -3.140625]
    assert found.arrays["c"].tolist() == [0, 1, 2]
    assert found.others == []


@pytest.mark.parametrize("length", [1, 8, 60, -1])
def test_cut_off_safetensors_are_refused(length, tmp_path):
    path = written(tmp_path, "a.safetensors", safetensors(a=("F32", ARRAY))[:length])
    with pytest.raises(ValueError, match="is no safetensors file, or a part of one: "):
        checkpoints.read(path)


def test_arrays_of_numpy_are_read_and_objects_are_not(tmp_path):
    np.savez(tmp_path / "a.npz", a=ARRAY)
    assert np.array_equal(checkpoints.read(tmp_path / "a.npz").arrays["a"], ARRAY)
    np.savez(tmp_path / "b.npz", a=np.array([{}], dtype=object))
    data = (tmp_path / "a.npz").read_bytes()
    written(tmp_path, "c.npz", data[:-1])
    written(tmp_path, "d.npz", data[:50])
    for name in "bcd":
        with pytest.raises(ValueError, match=rf"{name}\.npz is no \.npz file of arrays, or a part"):
            checkpoints.read(tmp_path / f"{name}.npz")


def test_paths_that_are_no_checkpoints(tmp_path):
    (tmp_path / "folder.pth").mkdir()
    written(tmp_path, "a.txt", b"x")
    written(tmp_path, "a.pth", b"")
    written(tmp_path, "a.pkl", pickle.dumps([ARRAY]))
    for name, message in {
        "none.pth": "there is no file .*none.pth",
        "folder.pth": "folder.pth is a folder, not a checkpoint",
        "a.txt": r"a checkpoint ends in \.pth, .*\.npz, \.safetensors\. Received: .*a\.txt",
        "a.pth": "a.pth is empty",
        "a.pkl": "a.pkl holds list, not a state dict of names",
    }.items():
        with pytest.raises(ValueError, match=message):
            checkpoints.read(tmp_path / name)


def test_a_file_of_pytorch_needs_no_pytorch(tmp_path):
    """Written by hand: the archive since 1.6, and the row of pickles before. A transposed view."""
    storage = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x06"
    view = b"K\x00K\x03K\x02\x86K\x01K\x03\x86\x89Nt"
    head = b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n("
    numbers = np.arange(6, dtype="<f4").tobytes()
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("x/data.pkl", head + storage + b"tQ" + view + b"Rs.")
        archive.writestr("x/data/0", numbers)
    row = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2)
    row += head + storage + b"NtQ" + view + b"Rs." + pickle.dumps(["0"], 2)
    written(tmp_path, "b.pth", row + struct.pack("<q", 6) + numbers)
    for name in ("a.pth", "b.pth"):
        assert checkpoints.read(tmp_path / name).arrays["a"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert "torch" not in sys.modules or keras.backend.backend() == "torch"
    beyond = view.replace(b"K\x00K\x03", b"K\x01K\x03", 1)
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("x/data.pkl", head + storage + b"tQ" + beyond + b"Rs.")
        archive.writestr("x/data/0", numbers)
    with pytest.raises(ValueError, match="a part of one: a tensor that reaches beyond its storage"):
        checkpoints.read(tmp_path / "a.pth")
    repeated = b"K\x00J\0\0\0\x10K\x02\x86K\x00K\x03\x86\x89Nt"
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("x/data.pkl", head + storage + b"tQ" + repeated + b"Rs.")
        archive.writestr("x/data/0", numbers)
    with pytest.raises(ValueError, match="a part of one: a tensor that is larger than its storage"):
        checkpoints.read(tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("x/data.pkl", head + storage[:-2] + b"J\0\0\0\x10tQ" + view + b"Rs.")
        archive.writestr("x/data/0", numbers)
    with pytest.raises(ValueError, match="a part of one: storages that are larger than the file"):
        checkpoints.read(tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", head + storage + b"tQ" + view + b"Rs.")
    with pytest.raises(ValueError, match=r"x/data.pkl is compressed, as PyTorch never does"):
        checkpoints.read(tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"it does not begin as a file of torch\.save"):
        checkpoints.read(written(tmp_path, "a.pth", b"x"))


def test_arrays_in_dictionaries_of_dictionaries_have_all_their_keys(tmp_path):
    saved = {"params": {"Conv_0": {"kernel": ARRAY}}, "batch_stats": {"mean": ARRAY}, "empty": {}}
    found = checkpoints.read(written(tmp_path, "a.ckpt", pickle.dumps(saved, 4)))
    assert list(found.arrays) == ["params/Conv_0/kernel", "batch_stats/mean"]
    assert found.others == [("empty", "not an array of numbers")]


def test_weights_within_and_prefixes(tmp_path):
    state = {"module.model.fc.weight": ARRAY, "module.model.fc.bias": ARRAY}
    saved = {"model": state, "args": {"lr": 0.1}}
    found = checkpoints.read(written(tmp_path, "a.pkl", pickle.dumps(saved)))
    assert list(found.arrays) == ["fc.weight", "fc.bias"]
    assert found.others == [("args", "beside 'model'")]


# Layouts


def test_a_checkpoint_has_one_layout_at_most():
    for layout in layouts.LAYOUTS:
        assert layouts.layout_of(layout.signature) is layout
        assert layouts.named(layout.name) is layout
        for other in layouts.LAYOUTS:
            if other is not layout:
                assert not set(layout.signature) <= set(other.signature)
        assert set(layout.networks) <= set(models.list_models())
    with pytest.raises(
        ValueError, match=r"none of the layouts glore, mfnet, .* 2 keys begin with a, b"
    ):
        layouts.layout_of(["b", "a"])
    with pytest.raises(ValueError, match=r"one of glore, .*Received: layout='timm'"):
        layouts.named("timm")


KEYS = {
    "glore": {
        "conv1.conv.weight": "conv1_conv/kernel",
        "conv1.bn.running_var": "conv1_bn/moving_variance",
        "conv2.B01.conv_w1.conv.weight": "conv2_1_0_conv/kernel",
        "conv4.B06.conv_m3.bn.bias": "conv4_6_3_bn/beta",
        "tail.bn.weight": "final_bn/gamma",
        "classifier.bias": "predictions/bias",
        "conv3.B01_extra.conv_state.weight": None,
    },
    "mfnet": {
        "conv5.B03.conv_i2.conv.weight": "conv5_3_i2_conv/kernel",
        "conv2.B01.conv_w1.bn.running_mean": "conv2_1_w1_bn/moving_mean",
    },
    "torchvision_resnet": {
        "conv1.weight": "conv1_conv/kernel",
        "bn1.weight": "conv1_bn/gamma",
        "layer1.0.conv1.weight": "conv2_1_1_conv/kernel",
        "layer3.22.bn3.running_mean": "conv4_23_3_bn/moving_mean",
        "layer4.0.downsample.0.weight": "conv5_1_0_conv/kernel",
        "layer4.0.downsample.1.weight": "conv5_1_0_bn/gamma",
        "layer2.1.se.fc1.weight": "conv3_2_se/squeeze/kernel",
        "layer2.1.se.fc2.bias": "conv3_2_se/excite/bias",
        "fc.weight": "predictions/kernel",
        "layer1.0.conv1.0.weight": None,
    },
    "torchvision_r2plus1d": {
        "stem.0.weight": "conv1_spatial_conv/kernel",
        "stem.1.weight": "conv1_spatial_bn/gamma",
        "stem.3.weight": "conv1_temporal_conv/kernel",
        "stem.4.bias": "conv1_bn/beta",
        "layer2.0.conv1.0.0.weight": "conv3_1_1_spatial_conv/kernel",
        "layer2.0.conv2.0.1.weight": "conv3_1_2_spatial_bn/gamma",
        "layer2.0.conv2.0.3.weight": "conv3_1_2_temporal_conv/kernel",
        "layer2.0.conv2.1.running_var": "conv3_1_2_bn/moving_variance",
        "layer2.0.downsample.1.bias": "conv3_1_0_bn/beta",
    },
    "vmz": {
        "conv1_middle_w": "conv1_spatial_conv/kernel",
        "conv1_middle_spatbn_relu_riv": "conv1_spatial_bn/moving_variance",
        "conv1_spatbn_relu_s": "conv1_bn/gamma",
        "comp_2_conv_1_middle_w": "conv2_3_1_spatial_conv/kernel",
        "comp_3_spatbn_2_middle_rm": "conv3_1_2_spatial_bn/moving_mean",
        "comp_6_conv_2_w": "conv3_4_2_temporal_conv/kernel",
        "comp_7_spatbn_1_b": "conv4_1_1_bn/beta",
        "comp_15_conv_2_w": "conv5_3_2_temporal_conv/kernel",
        "shortcut_projection_3_w": "conv3_1_0_conv/kernel",
        "shortcut_projection_7_w": "conv4_1_0_conv/kernel",
        "shortcut_projection_13_w": "conv5_1_0_conv/kernel",
        "shortcut_projection_13_spatbn_s": "conv5_1_0_bn/gamma",
        "last_out_L400_w": "predictions/kernel",
        "last_out_L400_b": "predictions/bias",
        "lr": None,
    },
    "efficientnet_lite": {
        "_conv_stem.weight": "conv1_conv/kernel",
        "_bn0.bias": "conv1_bn/beta",
        "_blocks.0._depthwise_conv.weight": "conv2_1_2_conv/kernel",
        "_blocks.0._bn1.running_mean": "conv2_1_2_bn/moving_mean",
        "_blocks.1._expand_conv.weight": "conv3_1_1_conv/kernel",
        "_blocks.4._bn0.weight": "conv4_2_1_bn/gamma",
        "_blocks.7._project_conv.weight": "conv5_3_3_conv/kernel",
        "_blocks.14._bn2.running_var": "conv7_4_3_bn/moving_variance",
        "_blocks.15._project_conv.weight": "conv8_1_3_conv/kernel",
        "_conv_head.weight": "conv9_conv/kernel",
        "_bn1.weight": "conv9_bn/gamma",
        "_fc.bias": "predictions/bias",
        "_swish.weight": None,
    },
    "i3d": {
        "params/Conv3d_1a_7x7/Conv_0/kernel": "conv1_1_conv/kernel",
        "batch_stats/Conv3d_2c_3x3/BatchNorm_0/mean": "conv2_2_bn/moving_mean",
        "params/Mixed_3b/Branch_0/Conv3d_0a_1x1/Conv_0/kernel": "conv3_1_b0_conv/kernel",
        "params/Mixed_4f/Branch_1/Conv3d_0a_1x1/Conv_0/kernel": "conv4_5_b1_reduce_conv/kernel",
        "params/Mixed_4b/Branch_2/Conv3d_0b_3x3/BatchNorm_0/bias": "conv4_1_b2_bn/beta",
        "params/Mixed_5c/Branch_3/Conv3d_0b_1x1/BatchNorm_0/bias": "conv5_2_b3_bn/beta",
        "batch_stats/Mixed_4d/Branch_0/Conv3d_0a_1x1/BatchNorm_0/var": (
            "conv4_3_b0_bn/moving_variance"
        ),
        "params/Logits/Conv3d_0c_1x1/Conv_0/kernel": "predictions/kernel",
        "params/Logits/Conv3d_0c_1x1/Conv_0/bias": "predictions/bias",
        "params/Logits/Conv3d_0c_1x1/Conv_0/scale": None,
    },
}


@pytest.mark.parametrize("name", [layout.name for layout in layouts.LAYOUTS])
def test_keys_become_our_names(name):
    arrays = {key: np.zeros(3) for key in KEYS[name]}
    expected = {key: ours for key, ours in KEYS[name].items() if ours}
    variables = dict.fromkeys(expected.values(), np.zeros(3))
    found, skipped = translate(layouts.named(name), arrays, variables)
    assert list(found) == list(expected.values())
    assert skipped == [(key, "not in the layout") for key in arrays if key not in expected]
    found, skipped = translate(layouts.named(name), arrays, {"other/kernel": np.zeros(3)})
    assert not found
    reasons = {key: "not in the model" for key in expected}
    assert dict(skipped) == {key: reasons.get(key, "not in the layout") for key in arrays}


def test_two_arrays_for_one_variable_are_refused():
    arrays = {"conv2.B01.conv_m1.bn.weight": ARRAY[0, 0], "conv2.B1.conv_m1.bn.weight": ARRAY[0, 0]}
    with pytest.raises(
        ValueError, match=r"two arrays for 'conv2_1_1_bn/gamma', one of them 'conv2.B1\."
    ):
        translate(layouts.named("glore"), arrays, {"conv2_1_1_bn/gamma": ARRAY[0, 0]})


def test_axes_of_kernels():
    kernel = np.arange(2 * 3 * 5 * 7 * 11).reshape(2, 3, 5, 7, 11)
    turned = in_keras_order(kernel, (5, 7, 11, 3, 2))
    assert turned.shape == (5, 7, 11, 3, 2)
    assert turned[4, 6, 10, 2, 1] == kernel[1, 2, 4, 6, 10]
    assert in_keras_order(kernel[0], (7, 11, 5, 3)).shape == (7, 11, 5, 3)
    assert in_keras_order(kernel[0, 0, 0], (11, 7)).shape == (11, 7)
    one = kernel[:, :, :1, :1, 0]
    assert in_keras_order(one, (3, 2)).tolist() == kernel[:, :, 0, 0, 0].T.tolist()
    assert in_keras_order(one, (1, 1, 3, 2)).shape == (1, 1, 3, 2)
    assert in_keras_order(kernel[0, 0, 0, 0], (11,)).tolist() == kernel[0, 0, 0, 0].tolist()
    # Depthwise: one kernel for every channel.
    each = kernel[0][:, :1]
    assert in_keras_order(each, (7, 11, 3, 1))[6, 10, 2, 0] == each[2, 0, 6, 10]


def test_the_classes_of_a_checkpoint():
    arrays = {"conv1.weight": np.zeros((2, 3)), "fc.bias": np.zeros(11)}
    layout = layouts.named("torchvision_resnet")
    assert classes_of(layout, arrays) == 11
    assert classes_of(layout, {"conv1.weight": np.zeros((2, 3))}) is None
    assert classes_of(layouts.named("vmz"), {"last_out_L400_b": np.zeros(400)}) == 400


def glore_arrays(model):
    """A checkpoint of a network without blocks, in the names of GloRe."""
    parts = {"0": "w1", "1": "m1", "2": "m2", "3": "m3"}
    ends = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias",
            "moving_mean": "running_mean", "moving_variance": "running_var"}  # fmt: skip
    arrays = {}
    for count, (name, variable) in enumerate(variables_of(model).items()):
        layer, end = name.split("/")
        words = layer.split("_")
        if len(words) == 4:
            stage, unit, part, kind = words
            module = f"{stage}.B{int(unit):02d}.conv_{parts[part]}.{kind}"
        else:
            module = {"conv1_conv": "conv1.conv", "conv1_bn": "conv1.bn", "final_bn": "tail.bn",
                      "predictions": "classifier"}[layer]  # fmt: skip
        shape = tuple(variable.shape)
        shape = (shape[-1], shape[-2], *shape[:-2]) if len(shape) > 1 else shape
        arrays[f"{module}.{ends[end]}"] = np.full(shape, count, "float32")
    return arrays


def test_a_small_network_from_safetensors_without_pytorch(tmp_path):
    arguments = {"classes": 5, "input_shape": (19, 23, 3), "attention": None}
    model = models.A2ResNet11(**arguments, padding="symmetric")
    arrays = glore_arrays(model)
    data = safetensors(**{key: ("F32", array) for key, array in arrays.items()})
    path = written(tmp_path, "a.safetensors", data)
    report = weights.convert(path, model)
    assert len(report.loaded) == len(model.weights) == 71
    assert not report.notes
    for count, variable in enumerate(variables_of(model).values()):
        assert (np.asarray(variable.numpy()) == count).all()
    same = models.A2ResNet11(**arguments)
    assert weights.convert(path, same).notes == (
        "the model is built with padding='same', the checkpoint's network with 'symmetric': their "
        "outputs differ",
    )
    with pytest.raises(ValueError, match="in the model"):
        weights.convert(path, models.A2ResNet11(**{**arguments, "classes": 3}))
    with pytest.raises(ValueError, match=r"nothing in .*a.safetensors fits model"):
        weights.convert(path, same, layout="vmz")


# The command


def mistake(*arguments):
    with pytest.raises(UserError) as error:
        command.run(["convert", *map(str, arguments)])
    return str(error.value)


def test_mistakes_are_told_in_a_sentence(tmp_path):
    known = written(tmp_path, "a.safetensors", safetensors(a=("F32", ARRAY)))
    output = f"--output={tmp_path}/a.keras"
    assert mistake("--model=resnet50", output) == "convert takes one CHECKPOINT. Received: none"
    assert mistake(known, known, "--model=resnet50", output).startswith(
        "convert takes one CHECKPOINT. Rec"
    )
    assert mistake(known, output) == "--model is missing (see --help)"
    assert mistake(known, "--model=resnet50") == "--output is missing (see --help)"
    assert mistake(known, "--model=resnet50", "--output=a.h5") == (
        "--output must end in .weights.h5 or .keras. Received: --output=a.h5"
    )
    nowhere = tmp_path / "none" / "a.keras"
    assert mistake(known, "--model=resnet50", f"--output={nowhere}") == (
        f"--output={nowhere}: there is no folder {nowhere.parent}"
    )
    (tmp_path / "b.keras").mkdir()
    assert mistake(known, "--model=resnet50", f"--output={tmp_path}/b.keras").endswith(
        "is a folder"
    )
    assert "--model must be a network such as resnet50" in mistake(
        known, "--model=resnet51", output
    )
    assert "there is no file" in mistake(tmp_path / "none.pth", "--model=resnet50", output)
    assert "none of the layouts" in mistake(known, "--model=resnet50", output)
    assert "value should be one of" in mistake(known, "--model=resnet50", output, "--layout=timm")
    assert not (tmp_path / "a.keras").exists()


def test_a_mistake_ends_the_command_with_code_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "a2keras", "convert", "none.npz", "--model=resnet50",
         "--output=a.keras"],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "a2keras convert: there is no file none.npz\n"


def test_the_help_names_the_layouts(capsys):
    with pytest.raises(SystemExit):
        command.run(["convert", "--help"])
    text = capsys.readouterr().out
    assert "--layout=auto|glore|mfnet|torchvision_resnet|torchvision_r2plus1d|vmz|" in text
    assert io.StringIO(text).readline().startswith("usage: a2keras convert CHECKPOINT --model=NAME")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x80\x02Nr\xff\xff\xff\x0f.", "it remembers 268435455 objects in 9 bytes"),
        (b"Np268435455\n.", "it remembers 268435455 objects in 13 bytes"),
        (
            b"\x80\x02cnumpy.core.numeric\n_frombuffer\n(J\xff\xff\xff\x7fcnumpy\ndtype\n"
            b"(X\x02\x00\x00\x00u1tRJ\xff\xff\xff\x7ftR.",
            "an array of no bytes",
        ),
    ],
)
def test_a_pickle_takes_no_more_memory_than_it_has(data, reason, tmp_path):
    tracemalloc.start()
    with pytest.raises(ValueError, match=reason):
        checkpoints.read(written(tmp_path, "a.pkl", data))
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["archive", "row"])
def test_a_file_of_torch_takes_no_more_memory_than_it_has(kind, tmp_path):
    data = b"\x80\x02}r\xff\xff\xff\x0f."
    if kind == "archive":
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("a/data.pkl", data)
        written(tmp_path, "a.pth", content.getvalue())
    else:
        first = [pickle.dumps(each, 2) for each in (torch_files._MAGIC, 1001, {})]
        written(tmp_path, "a.pth", b"".join(first) + data + 1000 * b"\0")
    tracemalloc.start()
    with pytest.raises(ValueError, match="it remembers 268435455 objects in 9 bytes"):
        checkpoints.read(tmp_path / "a.pth")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("name", ["a.pkl", "a.pt"])
def test_dictionaries_that_hold_one_another_are_refused(tmp_path, monkeypatch, name):
    monkeypatch.setattr("a2keras.models.weights.restricted_pickle.MOST", 10_000)
    saved: dict = {"a": ARRAY}
    for _ in range(60):  # 2⁶⁰ ways down
        saved = {"a": saved, "b": saved}
    data = pickle.dumps(saved)
    if name == "a.pt":
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("a/data.pkl", pickle.dumps({"a": {}, "b": saved}))
        data = content.getvalue()
    with pytest.raises(ValueError, match="more than 10000 values"):
        checkpoints.read(written(tmp_path, name, data))
