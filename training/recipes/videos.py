"""Your own class-per-folder videos, from I3D's published Kinetics-400 weights.

The paper      starts from its own Kinetics weights for UCF-101 (learning rate 0.01, three steps
               down); those were never published, and I3D's are.
We             fine-tune I3D: first the new classifier alone, with the rest held as it is, then
               conv4 on at a lower rate, with AdamW and batch normalisation held, on 16 of 48
               frames. Where left and right are different classes: --set flip=false. Where several
               files show the same person, scene or recording: --set group_pattern=… keeps each
               group on one side of the split; without it the score flatters.
Command        a2keras train --recipe=folder --data=folder:DIR --output=runs/mine
Hardware       2 CPU cores
Expected       depends on the data; see docs/walkthrough.md
"""

from a2keras.training.config import Recipe

RECIPE = Recipe(
    name="videos",
    task="video",
    model="i3d",
    weights="auto",
    size=112,
    frames=16,
    stride=3,
    epochs=40,
    batch_size=8,
    freeze_epochs=8,
    freeze_rate=3e-3,
    freeze_bn=True,
    freeze_until="conv3_2",
    optimizer="adamw",
    learning_rate=3e-4,
    clip_norm=1.0,
    label_smoothing=0.1,
)
