"""Directories that are written: by one process at a time; what fails is told."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from a2keras import files
from a2keras.errors import UserError, system_reason


@contextlib.contextmanager
def writing(what: str, directory: Path) -> Iterator[None]:
    """Tells a full disk, or one that may not be written, as a `UserError`."""
    try:
        yield
    except OSError as error:
        reason = system_reason(error)
        raise UserError(f"{what} cannot be written to {directory}: {reason}") from error


@contextlib.contextmanager
def alone(directory: Path, what: str, place: object, doing: str) -> Iterator[None]:
    """As `files.locked`, in words.

    Args:
        directory: to make and to lock.
        what: is written there, such as "a run".
        place: that another process would be at.
        doing: what it would be doing to it, such as "trained".

    Raises:
        UserError: another process has it, or it cannot be made.
    """
    with contextlib.ExitStack() as stack:
        with writing(what, directory):
            try:
                stack.enter_context(files.locked(directory))
            except BlockingIOError:
                raise UserError(f"{place} is being {doing} by another process") from None
        yield
