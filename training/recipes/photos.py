"""Your own class-per-folder photographs, from EfficientNet-Lite0's published ImageNet weights.

The paper      trains on ImageNet from scratch; a folder of some hundred photos is too small for it.
We             start from weights that others have published and fine-tune: first the new
               classifier alone, with the rest held as it is, then conv5 on at a lower rate, with
               AdamW, batch normalisation held, random crops and mirroring, label smoothing. Where
               left and right are different classes: --set flip=false. Where several files show the
               same person, scene or recording: --set group_pattern=… keeps each group on one side
               of the split; without it the score flatters.
Command        a2keras train --recipe=folder --data=folder:DIR --output=runs/mine
Hardware       2 CPU cores
Expected       depends on the data; see docs/walkthrough.md
"""

from a2keras.training.config import Recipe

RECIPE = Recipe(
    name="photos",
    task="image",
    model="efficientnet_lite0",
    weights="auto",
    size=160,
    interpolation="bicubic",
    epochs=14,
    batch_size=32,
    freeze_epochs=4,
    freeze_rate=3e-3,
    freeze_bn=True,
    freeze_until="conv4_2",
    optimizer="adamw",
    learning_rate=3e-4,
    weight_decay=1e-4,
    label_smoothing=0.1,
)
