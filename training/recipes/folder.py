"""Your own class-per-folder images or videos: by `photos` or `videos`, or from scratch.

Unless --set weights=none says from scratch, the recipe is `photos` or `videos`, whatever the files
are: those two start from published weights. What stands here is what is left for from scratch.

The paper      trains on data sets a thousand times larger; for small ones it starts from Kinetics
               weights (UCF-101: learning rate 0.01, three steps down).
We             train a small A²-ResNet with a cosine schedule, random crops and mirroring. Where
               left and right are different classes: --set flip=false. Where several files show the
               same person, scene or recording: --set group_pattern=… keeps each group on one side
               of the split; without it the score flatters.
Command        a2keras train --recipe=folder --data=folder:DIR --output=runs/mine --set weights=none
Hardware       any: 2 CPU cores train on some 40 photos, or 10 clips of 64×64 pixels, a second
Expected       depends on the data; beat `evaluate`'s line "always the most frequent class" first
"""

from a2keras.training.config import Recipe

RECIPE = Recipe(name="folder")
