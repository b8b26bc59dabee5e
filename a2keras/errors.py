"""A user's mistake, and words for it: one sentence that can be printed anywhere."""

import re

# Control characters (of terminals among them), line and paragraph separators, marks that turn the
# direction of text, and halves of surrogate pairs, as which Python reads names that are not UTF-8.
_BEYOND_ASCII = "\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
UNPRINTABLE = re.compile(f"[\x00-\x1f{_BEYOND_ASCII}]")
UNPRINTABLE_BEYOND_ASCII = re.compile(f"[{_BEYOND_ASCII}]")


class UserError(Exception):
    """A user's mistake, told in one clear sentence: the command prints it and exits with code 2."""


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


def counted(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
