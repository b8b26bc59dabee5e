"""What is a whole number, and what only looks like one."""

import pytest

from a2keras.whole_numbers import is_number, number_of


def test_whole_numbers():
    assert [each for each in ("7", "007", "9" * 18) if not is_number(each)] == []
    assert not any(map(is_number, ("", "²", "٣", "-1", "1.0", " 1", "1\n", "1_0", "9" * 19)))
    assert number_of("size", "0042") == 42
    with pytest.raises(ValueError) as told:
        number_of("size", "²")
    assert str(told.value) == "size must be a whole number. Received: size=²"
