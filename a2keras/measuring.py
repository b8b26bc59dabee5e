"""What a process takes on its machine: the peak of its memory, and on which processor."""

import contextlib
import os
import platform
from pathlib import Path


def forget_peak() -> int:
    """Lets the peak of this process's memory begin anew, where the system can; returns it."""
    with contextlib.suppress(OSError):  # otherwise what loading TensorFlow took may hide a network
        Path("/proc/self/clear_refs").write_text("5")
    return peak_resident()


def peak_resident() -> int:
    """The most memory that this process has had at once, in bytes."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    for line in lines:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    # On Linux this would not do: it is at least what the parent had when it started the process.
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peak_memory(before: int) -> tuple[str, int, str]:
    """The device, the peak of its memory in bytes, and whose memory that is."""
    import tensorflow as tf

    if gpus := tf.config.get_visible_devices("GPU"):
        name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
        peak = tf.config.experimental.get_memory_info("GPU:0")["peak"]
        return f"{len(gpus)} × {name}", peak, "the first GPU"
    threads = os.environ.get("TF_NUM_INTRAOP_THREADS")
    limit = f", TF_NUM_INTRAOP_THREADS={threads}" if threads else ""
    return f"{processor()}{limit}", peak_resident() - before, "the process"


def processor() -> str:
    """The name of the processor, as far as the system tells it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{os.cpu_count()} × {name}"


def memory_of_machine() -> int:
    """The memory that this process may have at most, in bytes; 0 where the system does not tell."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # "max": there is no limit
            total = min(total, int(Path(file).read_text()))
    return total
