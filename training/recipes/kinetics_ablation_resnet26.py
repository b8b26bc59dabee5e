"""Tables 2 and 3: ResNet-26 on Kinetics, with the blocks of one row.

The paper      PyTorch, 32 K80 GPUs, batch 512, clips of 16×112×112, from scratch; learning rate
               0.2, × 0.1 at iterations 20,000 and 30,000, end at 37,000. clip@1 50.4 % and video@1
               60.7 % without a block, 52.3 % and 62.6 % with one A² block at conv4.
Left open      Stride of the frames, momentum, weight decay, augmentation, warm-up, clips per
               video.
We             follow the author's later code for the same data (GloRe): Nesterov 0.9, weight decay
               1e-4, crops with aspect 0.8 to 1.25 and of a short side between the crop and 1.52
               times it, mirroring, HLS shifts of 15/35/25, pixel noise of 20, warm-up over 1,500
               iterations, statistics over 500 batches before evaluation. Stride 4 covers about as
               much time as the 8 frames at stride 8 of the larger networks. An epoch is 250
               iterations here, so that the paper's iterations are epochs 80, 120 and 148. Ten
               clips per video (VMZ).
Command        a2keras train --recipe=kinetics_ablation_resnet26 --data=prepared:DIR --output=RUN
               --set attention=a2 --set positions=conv4_2      (other rows: see `a2keras tables`;
               "none", "non_local"; positions=conv3_1,conv3_2,conv4_1,conv4_2 for four;
               --model=resnet29_video for the deeper baseline). `a2keras ablate` runs all rows.
Hardware       not yet run
Expected       not yet run
"""

from a2keras.training.config import Recipe

RECIPE = Recipe(
    name="kinetics_ablation_resnet26",
    task="video",
    model="resnet26_video",
    size=112,
    test_short_side=128,
    frames=16,
    stride=4,
    crop="side",
    crop_scale=224 / 340,
    crop_aspect=1.25,
    hue=15.0,
    lightness=35.0,
    saturation=25.0,
    pixel_noise=20.0,
    epochs=148,
    steps_per_epoch=250,
    batch_size=512,
    base_batch=512,
    learning_rate=0.2,
    schedule="step",
    step_epochs="80,120",
    warmup_epochs=6.0,
    precise_bn=500,
    views=10,
)
