"""MobileNetV2 from keras.applications with double attention inserted, trained on photos of clothes.

    python examples/clothing.py --data=DIR [--weights=imagenet]

DIR holds train/CLASS/*.jpg, validation/CLASS/*.jpg and test/CLASS/*.jpg. Every seed trains two
networks on the same examples in the same order: the host, and the host with blocks. A fresh block
is the identity, so both start from the same predictions. What came out is in docs/hosts.md.

With weights, training has two stages: first the blocks and the classifier over a frozen host, then
everything at a tenth of the learning rate.
"""

import argparse
import json
import time

import keras
import numpy as np

import a2keras

# Linear bottlenecks with 32, 32, 64, 64 and 96 channels (at alpha=1).
PLACES = ["block_3_project_BN", "block_5_add", "block_7_add", "block_9_add", "block_12_add"]


def load(arguments, split):
    """A split as (photos, labels): uint8 (N, size, size, 3), for training 1/8 larger, and (N,)."""
    margin = arguments.size // 16
    size = arguments.size + 2 * margin  # room for random crops
    batches = keras.utils.image_dataset_from_directory(
        f"{arguments.data}/{split}",
        image_size=(size, size),
        crop_to_aspect_ratio=True,
        shuffle=False,
        verbose=False,
    )
    photos, labels = zip(*batches.as_numpy_iterator(), strict=True)
    photos = np.concatenate(photos).round().astype("uint8")
    if split != "train":
        photos = photos[:, margin:-margin, margin:-margin]
    return photos, np.concatenate(labels)


def with_attention(host, reduction=2):
    for place in PLACES:  # one by one, since each takes half of its own channels
        channels = host.get_layer(place).output.shape[-1]
        block = a2keras.DoubleAttention(channels // reduction, pre_activation=True)
        host = a2keras.insert_blocks(host, after=[place], block=block)
    return host


def build(arguments, attention, classes):
    weights = None if arguments.weights == "none" else arguments.weights
    host = keras.applications.MobileNetV2(
        input_shape=(arguments.size, arguments.size, 3),
        alpha=arguments.alpha,
        include_top=False,
        pooling="avg",
        weights=weights,
    )
    for layer in host.layers:
        if weights is not None:
            layer.trainable = False
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # 0.999 is for runs of many thousand steps
    if attention:
        host = with_attention(host)
    return keras.Sequential(
        [
            keras.Input((None, None, 3)),
            keras.layers.RandomCrop(arguments.size, arguments.size),
            keras.layers.RandomFlip("horizontal"),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            host,
            keras.layers.Dropout(0.2),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


def fit(model, data, epochs, learning_rate, seed):
    batch_size, (photos, labels) = 32, data
    steps = epochs * -(-len(photos) // batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=learning_rate, warmup_steps=steps // 10
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.01)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    for epoch in range(epochs):
        order = np.random.default_rng((seed, epoch)).permutation(len(photos))
        model.fit(photos[order], labels[order], batch_size, verbose=0, shuffle=False)


def scores(model, photos, labels):
    """Top-1 and balanced accuracy, the mean over the classes of each one's accuracy."""
    predicted = model.predict(photos, verbose=0).argmax(axis=1)
    recalls = [np.mean(predicted[labels == each] == each) for each in np.unique(labels)]
    return {"top1": float(np.mean(predicted == labels)), "balanced": float(np.mean(recalls))}


def run(arguments, attention, seed, data):
    keras.utils.set_random_seed(seed)
    model = build(arguments, attention, classes=len(np.unique(data["train"][1])))
    started = time.perf_counter()
    if arguments.weights != "none":
        fit(model, data["train"], arguments.epochs // 3, 1e-3, seed)
        model.trainable = True
        fit(model, data["train"], arguments.epochs, 1e-4, seed + 1000)
    else:
        fit(model, data["train"], arguments.epochs, 2e-3, seed)
    return {
        "attention": attention,
        "seed": seed,
        "parameters": model.count_params(),
        "seconds": round(time.perf_counter() - started),
        **{split: scores(model, *data[split]) for split in ("validation", "test")},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="folder of train, validation and test")
    parser.add_argument("--weights", default="none", help="none, imagenet or a weights file")
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--size", type=int, default=96, help="pixels")
    parser.add_argument("--alpha", type=float, default=0.35, help="width of the host")
    parser.add_argument("--seeds", default="0,1,2,3")
    arguments = parser.parse_args()
    data = {split: load(arguments, split) for split in ("train", "validation", "test")}
    for seed in map(int, arguments.seeds.split(",")):
        for attention in (False, True):
            print(json.dumps(run(arguments, attention, seed, data)), flush=True)


if __name__ == "__main__":
    main()
