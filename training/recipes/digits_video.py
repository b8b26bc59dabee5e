"""Six motions of real scanned digits: the class is how the digit moves, which no frame tells.

The paper      trains on Kinetics clips (batch 512, 16×112×112 or 8×224×224, 32 to 64 GPUs).
We             let each of scikit-learn's digits move over a torus (what leaves on one side comes in
               on the other): left, right, up, down, clockwise, anticlockwise. The start is uniform,
               so every class shows every position equally often in every frame, and a network that
               looks at single frames is right in one of six. Same writers' blocks as digits_image.
               No mirroring: it would turn left into right.
               200 steps are enough, so an epoch is 40 steps, not all 7,182 clips.
Command        a2keras train --recipe=digits_video --output=runs/digits_video
Hardware       2 CPU cores, about 9 s an epoch
Expected       99.8 % of the 2,700 test clips (seed 0)
"""

from a2keras.training.config import Recipe

RECIPE = Recipe(
    name="digits_video",
    data="digits",
    task="video",
    model="a2_resnet11_video",
    size=32,
    frames=8,
    flip=False,
    crop_scale=1.0,
    epochs=5,
    steps_per_epoch=40,
    batch_size=16,
    learning_rate=0.05,
    views=1,  # the clips have no more frames than the network takes
)
