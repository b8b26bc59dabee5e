"""A user's mistake, a machine's limits, and words for them: one sentence that prints anywhere."""

import difflib
import errno
import os
import re
from collections.abc import Iterable

# Control characters (of terminals among them), line and paragraph separators, marks that turn the
# direction of text, and halves of surrogate pairs, as which Python reads names that are not UTF-8.
_BEYOND_ASCII = "\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
UNPRINTABLE = re.compile(f"[\x00-\x1f{_BEYOND_ASCII}]")
UNPRINTABLE_BEYOND_ASCII = re.compile(f"[{_BEYOND_ASCII}]")


class UserError(Exception):
    """A user's mistake, told in one clear sentence: the command prints it and exits with code 2.

    Args:
        sentence: of it foreign texts, such as the names of files, are made `printable`.
    """

    def __init__(self, sentence: object) -> None:
        super().__init__(printable(sentence))


class OutOfResources(UserError):
    """Threads, open files or memory have run out. Nothing is known about what was being done.

    Args:
        lack: what there is too little of, as `lacking` names it.
        doing: what was being done, such as "FILE was read".
        error: by which it was noticed.
    """

    def __init__(self, lack: str, doing: str, error: BaseException) -> None:
        super().__init__(
            f"this process has run out of {lack} while {doing} ({reason_of(error)}): "
            "raise its limits, or let it do less at once"
        )


LACKS = {
    errno.EAGAIN: "threads",
    errno.EMFILE: "open files",
    errno.ENFILE: "open files",
    errno.ENOMEM: "memory",
}


def lacking(error: BaseException) -> str | None:
    """What the process or its machine has run out of, where that is what an error says."""
    if isinstance(error, MemoryError):
        return "memory"
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "threads"
    code = getattr(error, "errno", None)
    if code is None and isinstance(error, OSError | ImportError):  # of TensorFlow, of a loader
        texts = {os.strerror(each): each for each in LACKS}
        code = next((texts[text] for text in texts if text in str(error)), None)
    return None if code is None else LACKS.get(code)


def printable(text: object) -> str:
    """A foreign text, such as a file's name or a label, as one line for a terminal or a log.

    What could steer a terminal, break the line or not be encoded is written as Python writes it in
    a string (`\\x1b`); a byte of a name that is not UTF-8 as that byte (`\\xff`).
    """
    return UNPRINTABLE.sub(_escaped, str(text))


def printable_lines(text: str) -> str:
    """As `printable`, of a text of several lines."""
    return "\n".join(map(printable, text.split("\n")))


def _escaped(match: re.Match) -> str:
    character = match[0]
    if "\udc80" <= character <= "\udcff":  # of os.fsdecode: a byte
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def reason_of(error: BaseException, limit: int = 200) -> str:
    """The first line of what a library says, which may be pages; its type where it says nothing."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return printable(lines[0][:limit].strip())


def system_reason(error: OSError) -> str:
    """What the operating system says, without the number and the file's name."""
    return error.strerror or reason_of(error)


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names that somebody may have meant; none where all are far from it.

    Those that are spelled nearly so, or with its letters in another order, else those in which it
    is one of the words, else nearly one: `batch` is near to `batch_size`, and `bacth`, too. Capital
    letters and hyphens make no difference.
    """
    plain = {_plain(each): each for each in known}
    wanted = _plain(name)
    found = difflib.get_close_matches(wanted, plain, n=count, cutoff=0.75)
    found += [each for each in plain if each not in found and sorted(each) == sorted(wanted)]
    if not found and len(wanted) > 2:
        found = [each for each in plain if f"_{wanted}" in f"_{each}"]
    if not found:
        found = [
            each
            for each in plain
            if difflib.get_close_matches(wanted, each.split("_"), cutoff=0.75)
        ]
    return [plain[each] for each in found[:count]]


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def did_you_mean(near: list[str], otherwise: str) -> str:
    """`did you mean 'a', 'b'?` of the names that are near; where there are none, another hint."""
    return f"did you mean {', '.join(map(repr, near))}?" if near else otherwise


def counted(count: int, noun: str, ending: str = "s") -> str:
    """`1 file`, `2 files`; with the ending of its plural, `2 batches`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}{ending}"
