"""Which frames of a video enter the network. Works on numbers, NumPy arrays and in tf.data."""

from typing import Any

import numpy as np

from a2keras.models.preprocessing.tensors import namespace

LONGEST_PAUSE = 10.0  # seconds between two frames; a longer one is a jump, as ffplay has it
MOST_MOMENTS = 2_000_000  # frames at a constant rate: 22 hours at 25 a second


def clip_indices(total: Any, frames: int, stride: int = 1, start: Any = 0.5) -> Any:
    """The frame numbers of one clip.

    A video that is shorter than the clip is held at its last frame: looping it would show the
    network a jump, and a motion that never happened.

    Args:
        total: number of frames of the video, at least 1.
        frames: T, number of frames of the clip.
        stride: τ, distance between two frames of the clip.
        start: where the clip starts, from 0 (as early as possible) to 1 (as late as possible); a
            uniform random number makes every start equally likely. 0.5 is the middle.

    Returns:
        int64 array (T,), ascending, within [0, total).
    """
    if frames < 1 or stride < 1:
        raise ValueError(
            f"`frames` and `stride` must be at least 1. Received: frames={frames}, stride={stride}"
        )
    xp = namespace(total, start)
    span = (frames - 1) * stride + 1
    last_start = xp.maximum(total - span, 0)
    first = xp.asarray(xp.floor(xp.multiply(start, last_start + 1)), dtype=np.int64)
    first = xp.minimum(first, last_start)  # start = 1 would be one too late
    return xp.minimum(first + xp.arange(frames, dtype=np.int64) * stride, total - 1)


def even_starts(count: int) -> np.ndarray:
    """Starts of N evenly spaced clips: the middle for one, else from first to last. float (N,)."""
    if count < 1:
        raise ValueError(f"`count` must be at least 1. Received: count={count}")
    return np.linspace(0.0, 1.0, count) if count > 1 else np.array([0.5])


def clock_of(times: np.ndarray, rate: float) -> tuple[np.ndarray, str]:
    """The times at which frames are shown, and where they come from.

    Args:
        times: float (N,), seconds as a file gives them; NaN where it gives none.
        rate: frames per second as it says; NaN where it does not.

    Returns:
        float (N,) and "time stamps"; where those are missing or do not ascend, n / rate for the
        n-th frame and "frame rate"; without a rate, the times as they are and "none".
    """
    if np.isfinite(times).all() and (np.diff(times) > 0).all():
        return times, "time stamps"
    return (np.arange(len(times)) / rate, "frame rate") if rate > 0 else (times, "none")


def bridged(times: np.ndarray) -> np.ndarray:
    """The times without the jumps of a clock that was set, as where recordings were joined.

    A step of more than `LONGEST_PAUSE` that is more than ten times the median step is such a jump,
    and counts as the median step. Times that do not ascend stay as they are.

    Args:
        times: float (N,), seconds.

    Returns:
        float (N,).
    """
    steps = np.diff(times)
    if not len(steps) or not (np.isfinite(steps) & (steps > 0)).all():
        return times
    step = np.median(steps)
    jumps = steps > max(LONGEST_PAUSE, 10 * step)
    if not jumps.any():
        return times
    return times[0] + np.concatenate([[0.0], np.cumsum(np.where(jumps, step, steps))])


def steady_indices(times: np.ndarray, most: int = MOST_MOMENTS) -> np.ndarray:
    """The frames that a camera of constant rate would have taken, for a video of variable rate.

    Cameras and recorders leave frames out, so that the t-th frame is not shown at t / rate. A clip
    that took every stride-th frame would then run at a changing speed. Let d be the median step
    between two times: the frame nearest to each of the moments t₀, t₀ + d, t₀ + 2d, … to the last
    frame's is taken. Pauses repeat a frame.

    Jumps of the clock are no pauses, see `bridged`.

    All frames are taken once where every step is within d/2 of d (a constant rate, possibly with
    jitter), and where the times are none: missing, or not ascending, as those of Xvid in AVI.

    Args:
        times: float (N,), seconds at which the frames are shown.
        most: how many frames there may be.

    Returns:
        int64 (M,), ascending, within [0, N).

    Raises:
        ValueError: see `nearest_indices`.
    """
    steps = np.diff(times)
    everything = np.arange(len(times), dtype=np.int64)
    if not len(steps) or not (np.isfinite(steps) & (steps > 0)).all():
        return everything
    step = np.median(steps)
    times = bridged(times)
    if (np.abs(np.diff(times) - step) <= step / 2).all():
        return everything
    return nearest_indices(times, float(step), most)


def nearest_indices(times: np.ndarray, step: float, most: int = MOST_MOMENTS) -> np.ndarray:
    """The frame nearest to each of the moments t₀, t₀ + step, t₀ + 2·step, … to the last frame's.

    Args:
        times: float (N,), ascending seconds.
        step: seconds.
        most: how many moments there may be.

    Returns:
        int64 (M,), ascending, within [0, N).

    Raises:
        ValueError: there are more than `most`; nothing has been allocated for them.
    """
    last = np.floor((times[-1] - times[0]) / step + 0.5)
    if not last < most:
        raise ValueError(
            f"{len(times)} frames within {times[-1] - times[0]:g} s are more than {most} at a "
            f"constant rate, one every {step:g} s"
        )
    moments = np.arange(last + 1) * step
    borders = (times[1:] + times[:-1]) / 2 - times[0]
    return np.searchsorted(borders, moments).astype(np.int64)
