"""What a process takes: the peak of its memory."""

import gc
from pathlib import Path

import numpy as np
import pytest

from a2keras.measuring import forget_peak, peak_resident


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux forgets")
def test_the_peak_is_that_since_it_was_forgotten():
    # Each over 32 MiB, which the allocator takes from the system and gives back: smaller ones it
    # may have at hand from what other tests have freed.
    kept = np.ones(5 * 2**20)
    large = np.ones(9 * 2**20)
    del large
    gc.collect()  # what others left would go, and its memory be used, in the middle
    before = forget_peak()
    assert peak_resident() - before < 8 * 2**20
    more = np.ones(7 * 2**20)
    assert peak_resident() - before == pytest.approx(more.nbytes, abs=4 * 2**20)
    assert before > kept.nbytes
