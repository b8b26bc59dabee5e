"""Table 6: the Kinetics network on UCF-101, the mean of its three official splits.

The paper      8 GPUs, batch 104, learning rate 0.01, three times × 0.1; tested at 224×224 on a
               single scale: video@1 96.4 %.
Left open      Frames, stride, length, steps, augmentation, rates by layer, clips per video.
We             keep the frames, stride and augmentation of the Kinetics training, and follow the
               author's MF-Net code for this data: all but the classifier learn at a fifth of the
               rate, 50 epochs, dropping after 0.2, 0.4 and 0.6 million samples, which are epochs
               21, 42 and 63 of its 9,537 videos: here at 20, 35 and 45, so that all three fall
               within the 50. Ten clips.
Command        per split F: a2keras prepare csv:ucfTrainTestlist --root=UCF-101 --fold=F
               --output=DIR_F, then
               a2keras train --recipe=ucf101_finetune --data=prepared:DIR_F --output=RUN_F
               --set weights=KINETICS_RUN/model.keras
               then a2keras evaluate RUN_1 RUN_2 RUN_3
Hardware       not yet run
Expected       not yet run. From scratch 40 to 45 % is usual: the start is what matters.
"""

import dataclasses

from a2keras.training.recipes.kinetics_a2_resnet50 import RECIPE as KINETICS

RECIPE = dataclasses.replace(
    KINETICS,
    name="ucf101_finetune",
    epochs=50,
    steps_per_epoch=0,
    batch_size=104,
    base_batch=104,
    learning_rate=0.01,
    learning_rate_factors="predictions=1,.=0.2",
    step_epochs="20,35,45",
    warmup_epochs=0.0,
)
