"""Table 4: the image A²-ResNet-50 on ImageNet-1k, from scratch.

The paper      MXNet, 64 K80 GPUs, batch 2,048, learning rate sqrt(0.1), × 0.1 when training
               accuracy is saturated; one 224×224 centre crop: top-1 77.0 %, top-5 93.5 %.
Left open      Schedule, momentum, weight decay, augmentation, the test image's short side.
We             follow the DPN code that the paper says it builds on (cypw/DPNs): crops of 8 to 100
               % of the area, aspect 3/4 to 4/3, mirroring, HSL shifts of 20/40/50, bicubic.
               Nesterov 0.9 and weight decay 1e-4 as in the author's later code (GloRe). The steps
               (30, 60 and 90 of 100 epochs), five epochs of warm-up and the short side of 256 are
               the usual ones.
Command        a2keras prepare tfds:imagenet2012 --output=DIR
               a2keras train --recipe=imagenet_a2_resnet50 --data=prepared:DIR --output=RUN
Hardware       The paper's batch fits 64 GPUs; on fewer --set accumulate=N, or a smaller
               batch_size, with which the learning rate goes down by itself (base_batch).
Expected       not yet run
"""

from a2keras.training.config import Recipe

RECIPE = Recipe(
    name="imagenet_a2_resnet50",
    data="tfds:imagenet2012",
    task="image",
    model="a2_resnet50",
    size=224,
    test_short_side=256,
    crop="area",
    crop_area=0.08,
    crop_aspect=4 / 3,
    hue=20.0,
    saturation=40.0,
    lightness=50.0,
    interpolation="bicubic",
    epochs=100,
    batch_size=2048,
    base_batch=2048,
    learning_rate=0.1**0.5,
    schedule="step",
    step_epochs="30,60,90",
    warmup_epochs=5.0,
    views=1,
)
