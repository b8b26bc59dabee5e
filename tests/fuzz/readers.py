"""Every reader of foreign files, by its name."""

import lists
import media
import networks
import runs
from reader import Reader

IMPORTED = ("a2keras.models",)
READERS: dict[str, Reader] = {
    each.name: each for each in (*media.READERS, *lists.READERS, *runs.READERS, *networks.READERS)
}
