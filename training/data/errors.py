"""What other libraries say of data that cannot be reached or read, in a sentence."""

import contextlib
import re
from collections.abc import Iterator

from a2keras.errors import UserError, reason_of, system_reason
from a2keras.models.preprocessing.errors import DecodeError
from a2keras.models.preprocessing.places import is_remote, reason_of_store


@contextlib.contextmanager
def reachable(place: str) -> Iterator[None]:
    """Tells in a sentence what a file system elsewhere (gs://, s3://) answers, if not the files."""
    try:
        yield
    except Exception as error:
        reason = reason_of_store(error)
        if reason is None and isinstance(error, OSError) and is_remote(place):
            reason = system_reason(error)
        if reason is None:
            raise
        raise UserError(f"{place} cannot be reached: {reason}") from error


@contextlib.contextmanager
def readable(data: str) -> Iterator[None]:
    """Tells in a sentence that an example can no longer be read, whatever has made an error of it.

    Args:
        data: what the source is called.

    Raises:
        UserError: names the file, or the source of the record.
    """
    import tensorflow as tf

    try:
        yield
    except DecodeError as error:
        raise UserError(f"a file can no longer be read: {error}") from error
    except tf.errors.OpError as error:
        # What tf.data makes of an error in Python code, and of one in its own graph.
        if reason := re.search(r"DecodeError: (.*)", str(error)):
            raise UserError(f"a file can no longer be read: {reason[1]}") from error
        if reason := re.search(r"OutOfResources: (.*)", str(error)):
            raise UserError(reason[1]) from error
        if isinstance(error, tf.errors.ResourceExhaustedError):
            raise
        if "[Op:IteratorGetNext]" in str(error):
            raise _damaged(data, error) from error
        raise
    except UnicodeDecodeError as error:  # of TensorFlow, of its own message
        raise _damaged(data, error) from error


def _damaged(data: str, error: Exception) -> UserError:
    reason = f"{data} has a damaged record ({words_of(error)})"
    return UserError(f"a file can no longer be read: {reason}")


def words_of(error: Exception) -> str:
    """What an operation says, without where in a graph it stands."""
    if isinstance(error, UnicodeDecodeError):
        return "an operation quotes bytes of it that are no text"
    text = re.sub(r"\{\{.*?\}\} ?", "", reason_of(error, 2000))
    text = re.sub(
        r"^Error in user-defined function .*?transformation with iterator: \S+ ", "", text
    )
    return text[:200].strip()
