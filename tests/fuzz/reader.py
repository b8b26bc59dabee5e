"""What the harness knows of a reader of foreign files."""

from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from mutations import mutated


class Reader(NamedTuple):
    """A part of the package that reads what others have written.

    An input is always one file; other files may have to lie beside it.

    Attributes:
        name: for `--reader`.
        seeds: fills an empty folder with sound files, and returns those that are to be damaged.
        read: what a command does with such a file, wherever the folder has been copied to.
        quick: inputs of the short run in the tests.
        clean: names of the exceptions that become one sentence for the user.
        sound: what becomes of the sound files.
        needs: modules without which there is nothing to try.
        seconds: after which one input counts as a hang.
    """

    name: str
    seeds: Callable[[Path], Iterable[Path]]
    read: Callable[[Path], Any]
    quick: int
    clean: tuple[str, ...] = ("UserError", "DecodeError")
    needs: tuple[str, ...] = ()
    sound: str = "accepted"
    seconds: float = 60.0

    def input(self, number: int, sound: list[Path]) -> tuple[Path, bytes]:
        """The n-th input: the file that it replaces, and its content. -1, -2, … are sound ones.

        The same number gives the same input, as far as the libraries write the same sound files.
        """
        if number < 0:
            return sound[number], sound[number].read_bytes()
        random = Random(f"{self.name} {number}")
        path = random.choice(sound)
        return path, mutated(random, path.read_bytes(), path.name)
