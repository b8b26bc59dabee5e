"""Table 5: the A²-ResNet-50 for video on Kinetics, started from ImageNet weights.

The paper      PyTorch, 64 K80 GPUs, batch 512, clips of 8×224×224 at stride 8; ResNet-50 from
               ImageNet and five new A² blocks; learning rate 0.04, stepwise down when training
               accuracy is saturated, 32,000 iterations. video@1 74.6 %, video@5 91.5 %.
Left open      Steps, momentum, weight decay, augmentation, warm-up, clips per video.
We             follow the author's code for the same setting (GloRe): × 0.1 at 21,000 and 30,500
               iterations (its third step lies behind the end), linear warm-up over 1,500, Nesterov
               0.9, weight decay 1e-4 not on biases and normalisation, crops, HLS shifts and pixel
               noise as in kinetics_ablation_resnet26, statistics over 500 batches. Ten clips per
               video (VMZ). An epoch is 250 iterations here.
Command        a2keras convert resnet50-lite.pth --model=a2_resnet50 --skip_mismatch
               --output=image.weights.h5, `weights.inflate` (docs/weights.md), then
               a2keras train --recipe=kinetics_a2_resnet50 --data=prepared:DIR --output=RUN
               --set weights=video.weights.h5
Hardware       not yet run
Expected       not yet run
"""

import dataclasses

from a2keras.training.recipes.kinetics_ablation_resnet26 import RECIPE as ABLATION

RECIPE = dataclasses.replace(
    ABLATION,
    name="kinetics_a2_resnet50",
    model="a2_resnet50_video",
    size=224,
    test_short_side=256,
    frames=8,
    stride=8,
    epochs=128,
    learning_rate=0.04,
    step_epochs="84,122",
)
