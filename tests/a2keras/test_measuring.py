"""What a process takes: the peak of its memory."""

import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own: what other tests have freed would be used again, and of a large process
# the system may move pages away in the middle. Each array is over 32 MiB, which the allocator
# takes from the system and gives back.
MEASURED = """
import numpy as np
from a2keras.measuring import forget_peak, peak_resident

kept = np.ones(5 * 2**20)
large = np.ones(9 * 2**20)
del large
before = forget_peak()
at_first = peak_resident()
more = np.ones(7 * 2**20)
print(kept.nbytes, before, at_first - before, peak_resident() - before, more.nbytes)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux forgets")
def test_the_peak_is_that_since_it_was_forgotten():
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True
    )
    kept, before, at_first, peak, more = map(int, done.stdout.split())
    assert at_first < 8 * 2**20
    assert peak == pytest.approx(more, abs=4 * 2**20)
    assert before > kept
