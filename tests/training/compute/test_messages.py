"""Messages between workers: what the chief passes comes back on all of them."""

from types import SimpleNamespace

import numpy as np

from a2keras.training.compute.messages import share


def test_every_worker_gets_what_the_chief_passes():
    sums = []

    def heard(numbers):  # the chief's come first, and the other adds zeros
        sums.append(numbers)
        return numbers

    chief = SimpleNamespace(workers=2, is_chief=True, add_up=heard)
    other = SimpleNamespace(workers=2, is_chief=False, add_up=lambda zeros: zeros + sums.pop(0))
    document = {"step": 7, "labels": ["Füße"]}
    arrays = [np.arange(15, dtype="float32").reshape(3, 5) / 7, np.array(2**40 + 1), np.zeros(0)]
    for received, found in (share(chief, document, arrays), share(other, {"step": 0})):
        assert received == document
        assert [each.dtype for each in found] == [each.dtype for each in arrays]
        for a, b in zip(arrays, found, strict=True):
            np.testing.assert_array_equal(a, b)
    assert sums == []


def test_one_process_keeps_what_it_has():
    document, arrays = {}, [np.ones(2)]
    received = share(SimpleNamespace(workers=1), document, arrays)
    assert received[0] is document
    assert received[1] is arrays
