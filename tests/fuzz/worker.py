"""A process that reads damaged files, one after the other, and says which one it is at.

It stands for the command that a user calls. It takes a line of JSON from its standard input for
some inputs of a reader: the arguments of `answered`; and prints, for every number, `[number]`
before and `[number, outcome, detail, place]` after, and `[]` at the end.
"""

import contextlib
import json
import os
import resource
import shutil
import sys
import traceback
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

# The address space that an input may take besides, so that none takes the whole machine's memory
# before the harness has seen it. Mapped files and the stacks of threads count, too.
ADDRESS_SPACE = 16 * 1024**3


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what readers and their libraries print
    readers = import_module(sys.argv[1])
    for name in readers.IMPORTED:  # so that no input is charged with what this takes
        import_module(name)
    for line in sys.stdin:
        try:
            for answer in answered(readers.READERS, **json.loads(line)):
                print(json.dumps(answer), file=answers)
                clear(sys.stderr)
        except BaseException:
            print(json.dumps(["failed", traceback.format_exc()]), file=answers)


def answered(
    readers: dict, reader: str, seeds: str, copy: str, numbers: list[int]
) -> Iterator[list]:
    """What is said of the inputs of a request."""
    known = readers[reader]
    sound_files, place = Path(seeds), Path(copy)
    sound, is_new = prepared(known, sound_files)
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(sound_files, place, symlinks=True)
    os.chdir(place)
    limit_memory()
    for number in (*(range(-len(sound), 0) if is_new else ()), *numbers):
        yield [number]
        path, content = known.input(number, sound)
        with replaced(place / path.relative_to(sound_files), content) as damaged:
            result = outcome(known, damaged)
        yield [number, *result]
    yield []


def prepared(reader: Any, seeds: Path) -> tuple[list[Path], bool]:
    """The sound files of a reader, made once, and whether this was now."""
    listed = seeds.with_suffix(".json")
    is_new = not listed.exists()
    if is_new:
        seeds.mkdir(parents=True)
        os.chdir(seeds)
        paths = sorted(reader.seeds(seeds))
        listed.write_text(json.dumps([str(path.relative_to(seeds)) for path in paths]))
    return [seeds / name for name in json.loads(listed.read_text())], is_new


@contextlib.contextmanager
def replaced(path: Path, content: bytes) -> Iterator[Path]:
    """Puts other content into a file for the time of a block."""
    sound = path.read_bytes()
    path.write_bytes(content)
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            path.write_bytes(sound)


def outcome(reader: Any, path: Path) -> tuple[str, str, str]:
    """What becomes of one file: accepted, clean or traceback, with the error and its place."""
    try:
        reader.read(path)
    except SystemExit as end:
        if isinstance(end.code, int | None):
            return "accepted", "", ""
        return "traceback", f"SystemExit: {end.code!r}"[:300], ""
    except BaseException as error:
        kinds = {each.__name__ for each in type(error).__mro__}
        text = f"{type(error).__name__}: {error}"
        if kinds & set(reader.clean):
            return "clean", text[:300], ""
        return "traceback", text[:300], place_of(error)
    return "accepted", "", ""


def place_of(error: BaseException) -> str:
    """The innermost line of the package itself on the way to an error."""
    spec = find_spec("a2keras")
    root = str(Path(spec.origin).parents[1]) if spec and spec.origin else "/"
    frames = traceback.extract_tb(error.__traceback__)
    others = {".venv", "tests", "site-packages"}
    own = [
        each
        for each in frames
        if each.filename.startswith(root) and not others & {*Path(each.filename).parts}
    ]
    frame = (own or frames)[-1]
    return f"{os.path.relpath(frame.filename, root)}:{frame.lineno} {frame.name}"


def limit_memory() -> None:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + ADDRESS_SPACE, resource.RLIM_INFINITY))


def clear(stderr: TextIO) -> None:
    """Forgets what was printed: of a crash only the last words count."""
    stderr.flush()
    with contextlib.suppress(OSError):  # a terminal
        os.ftruncate(2, 0)
        os.lseek(2, 0, os.SEEK_SET)


if __name__ == "__main__":
    main()
