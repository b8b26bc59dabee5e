"""The ten digits: real scanned handwriting, small enough for two CPU cores.

The paper      trains on ImageNet (batch 2,048, 224×224, 64 GPUs); it has no task of this size.
We             take scikit-learn's bundled digits: 1,797 scans of 8×8 pixels, enlarged to 32×32. The
               file keeps the order in which the writers came, so neighbours share a hand: training,
               validation and test are blocks of the file (1,197 / 150 / 450), never a random split.
               No mirroring (a mirrored 2 is no digit); random crops of at least 0.8 of the side.
Command        a2keras train --recipe=digits_image --output=runs/digits_image
Hardware       2 CPU cores, about 3 s an epoch
Expected       98.7 % of the 450 test digits with seed 0
"""

from a2keras.training.config import Recipe

RECIPE = Recipe(
    name="digits_image",
    data="digits",
    task="image",
    model="a2_resnet11",
    size=32,
    flip=False,
    crop_scale=0.8,
    epochs=20,
    batch_size=32,
    learning_rate=0.05,
)
