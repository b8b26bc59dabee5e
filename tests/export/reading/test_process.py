"""Processes of their own: what is asked of them, and whatever becomes of them."""

import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.export.reading.process import Failure, Process


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Starts the object of a class with these methods in a process of its own."""

    def start(methods: str, seconds: float = 60, **arguments) -> Process:
        lines = "\n".join(f"    {line}" for line in methods.splitlines())
        module = f"served{len(processes)}"  # two of one name share their compiled code
        (tmp_path / f"{module}.py").write_text(
            "import os, sys, time\nimport numpy as np\nfrom a2keras.errors import UserError\n"
            f"class Served:\n    def about(self): return [os.getpid()]\n{lines}\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        process = Process(module, "Served", arguments, seconds=seconds)
        processes.append(process)
        return process

    processes: list[Process] = []
    yield start
    for process in processes:
        process.close()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(2 * 3 * 5, dtype=np.float32).reshape(2, 3, 5),
        np.arange(30, dtype=np.uint8).reshape(5, 6).T,  # not in one piece
        np.zeros((0, 7), np.float32),
        np.ones((3, 2**21), np.float64),  # larger than any pipe
    ],
)
def test_arrays_there_and_back(served, array):
    process = served("def double(self, array, more): return 2 * array + more")
    process.about()
    given = process.call("double", array, more=1)
    np.testing.assert_array_equal(given, 2 * array + 1)
    assert given.shape == array.shape


def test_what_a_library_prints_is_no_answer(served, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    process = served("def tell(self):\n    os.system('echo noise'); print('x'); return set()")
    process.about()
    with pytest.raises(Failure, match=r"^TypeError: Object of type .* is not JSON serializable$"):
        process.call("tell")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.kill(os.getpid(), 11)", r"its process was ended by signal 11 \(SIGSEGV\)"),
        ("os.abort()", r"its process was ended by signal 6 \(SIGABRT\)"),
        ("os.kill(os.getpid(), 9)", r"its process was ended by signal 9 \(SIGKILL\)"),
        ("os.kill(os.getpid(), 35)", r"its process was ended by signal 35 \(unknown\)"),
        ("os._exit(3)", "its process has ended with code 3"),
        ("sys.stderr.write('one\\n\\x1btwo\\n'); sys.stderr.flush(); os._exit(1)", r"\\x1btwo"),
        ("raise RuntimeError('no luck\\nat all')", "no luck"),
        ("import ctypes; ctypes.string_at(1)", r"its process was ended by signal 11 \(SIGSEGV\)"),
        ("os.write(3, b'nonsense\\n'); os._exit(0)", "its process has ended with code 0"),
    ],
)
@pytest.mark.parametrize("when", ["at the start", "later"])
def test_whatever_happens_is_one_failure(served, code, reason, when):
    if when == "later":
        process = served(f"def run(self):\n    {code}")
        process.about()
        with pytest.raises(Failure, match=f"^{reason}$"):
            process.call("run")
    else:
        with pytest.raises(Failure, match=f"^{reason}$"):
            served(f"def __init__(self):\n    {code}").about()


def test_a_mistake_is_the_same_mistake(served):
    process = served("def run(self): raise UserError('not … so')")
    process.about()
    with pytest.raises(UserError, match=r"^not … so$"):
        process.call("run")
    with pytest.raises(UserError, match=r"^never$"):
        served("def __init__(self): raise UserError('never')").about()


def test_loading_without_end(served):
    process = served("def __init__(self): time.sleep(1000)", seconds=0.5)
    with pytest.raises(Failure, match=r"^it took more than 0\.5 s$"):
        process.about()


def test_memory_without_end(served):
    """Half as much again as the machine has is refused, instead of all other processes ended."""
    process = served(
        "def run(self, share):\n"
        "    import resource; limit = resource.getrlimit(resource.RLIMIT_DATA)[0]\n"
        "    assert 0 < limit <= os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')\n"
        "    return len(bytearray(int(share * limit)))"
    )
    process.about()
    with pytest.raises(Failure, match=r"^MemoryError$"):
        process.call("run", share=1.5)


def test_the_end_of_a_process(served):
    process = served("def wait(self): time.sleep(1000)")
    (pid,) = process.about()
    process.close()
    assert not is_alive(pid)  # no zombie either
    with pytest.raises(Failure, match=r"^its process has been ended$"):
        process.call("wait")


def test_a_process_that_nothing_refers_to(served):
    process = Process("builtins", "object", {})
    child = process._process
    del process
    gc.collect()
    assert child.poll() is not None


def test_a_fork_of_the_program_leaves_its_processes_alone(served):
    process = served("def same(self, array): return array")
    process.about()
    if (fork := os.fork()) == 0:
        process.close()  # as at the end of a program
        os._exit(0)
    assert os.waitpid(fork, 0)[1] == 0
    assert process.call("same", np.ones(3)).sum() == 3


def test_an_interruption_ends_the_process(served):
    process = served("def wait(self): time.sleep(1000)")
    (pid,) = process.about()
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        process.call("wait")
    assert not is_alive(pid)


def test_its_temporary_files_go_with_it_though_it_crashes(served, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    process = served(
        "def leave(self):\n    import tempfile\n    tempfile.mkdtemp()\n    os.abort()\n"
        "def where(self):\n    import tempfile\n    return tempfile.mkdtemp()"
    )
    process.about()
    assert process.call("where").startswith(str(tmp_path / "temporary"))
    with pytest.raises(Failure, match="SIGABRT"):
        process.call("leave")
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.slow
def test_a_program_that_is_killed_takes_its_processes_along(served, tmp_path):
    served("def wait(self): time.sleep(1000)").about()  # writes the module
    code = (
        "from a2keras.export.reading.process import Process\n"
        "process = Process('served0', 'Served', {})\n"
        "print(*process.about(), flush=True)\nprocess.call('wait')"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not is_alive(pid))


def test_threads_take_turns(served):
    process = served("def same(self, array):\n    time.sleep(0.01); return array")
    process.about()
    results: dict[int, np.ndarray] = {}

    def ask(number: int) -> None:
        results[number] = process.call("same", np.full(3, number))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((results[number] == number).all() for number in range(7))


def test_the_backend_goes_along(served):
    import keras

    process = served("def backend(self): return os.environ['KERAS_BACKEND']")
    process.about()
    assert process.call("backend") == keras.backend.backend()
