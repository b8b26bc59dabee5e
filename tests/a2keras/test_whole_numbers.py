"""What is a whole number, and what only looks like one."""

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.whole_numbers import as_real, count, is_number, number_of, real


def test_whole_numbers():
    assert [each for each in ("7", "007", "9" * 18) if not is_number(each)] == []
    assert not any(map(is_number, ("", "²", "٣", "-1", "1.0", " 1", "1\n", "1_0", "9" * 19)))
    assert number_of("size", "0042") == 42
    with pytest.raises(ValueError) as told:
        number_of("size", "²")
    assert str(told.value) == "size must be a whole number. Received: size=²"


def test_what_counts_is_a_whole_number_of_whatever_type():
    for three in (3, np.int64(3), np.uint8(3), np.array(3)):
        assert count("top", three) == 3 and type(count("top", three)) is int
    assert (count("top", None), count("top", 0, 0)) == (None, 0)
    for wrong, shown in ((0, "0"), (3.0, "3.0"), ("3", "'3'"), (True, "True"), (np.True_, "np.T")):
        with pytest.raises(UserError) as told:
            count("top", wrong)
        message = f"`top` must be a whole number of at least 1. Received: `top={shown}"
        assert str(told.value).startswith(message)


def test_what_is_a_number_of_whatever_type():
    for half in (0.5, np.float32(0.5), np.float16(0.5)):
        assert as_real(half) == 0.5 and type(as_real(half)) is float
    assert (as_real(3), as_real(np.int8(3))) == (3.0, 3.0)
    assert [as_real(each) for each in ("0.5", None, True, 10**400, 1j)] == [None] * 5
    assert real("part", np.float32(0.5), "from 0 to 1", 0, 1) == 0.5
    for wrong in (1.5, float("nan"), "0.5"):
        with pytest.raises(UserError) as told:
            real("part", wrong, "from 0 to 1", 0, 1)
        assert str(told.value) == f"`part` must be from 0 to 1. Received: `part={wrong!r}`"
