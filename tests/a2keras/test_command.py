"""The `a2keras` command: its table, its help, and a user's mistakes."""

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import pytest
from absl import flags

from a2keras import __main__ as command
from a2keras import documents
from a2keras.command_line import define_format, parse
from a2keras.errors import UserError


def a2keras(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "a2keras", *arguments], capture_output=True, text=True, cwd=cwd
    )


def test_every_command_of_the_table_exists():
    for name, entry in command.COMMANDS.items():
        if not entry.module.startswith("a2keras.training") or _has_tensorflow():
            assert callable(getattr(import_module(entry.module), name))


def _has_tensorflow():
    try:
        import tensorflow  # noqa: F401
    except ImportError:
        return False
    return True


def test_usage_names_every_command_and_says_nothing_else(tmp_path):
    done = a2keras("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert all(f"\n  {name} " in done.stdout for name in command.COMMANDS)
    assert done.stderr == ""
    assert a2keras(cwd=tmp_path).returncode == 2


@pytest.mark.slow
@pytest.mark.skipif(not _has_tensorflow(), reason="the commands need TensorFlow")
def test_a_user_sees_the_commands_own_lines_only(tmp_path):
    done = a2keras("summary", "a2_resnet11", "--format=json", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert document["parameters"] == sum(each["parameters"] for each in document["stages"])
    assert [each["stage"] for each in document["stages"]] == [
        "conv1", "conv2", "conv3", "conv4", "head",
    ]  # fmt: skip


def test_a_mistake_is_one_sentence_and_exit_code_2(tmp_path):
    done = a2keras("summry", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "a2keras summry: there is no command 'summry': did you mean 'summary'?\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["zzz"], r"there is no command 'zzz': the commands are demo, prepare"),
        (
            ["summary", "a2_resnet5"],
            r"there is no network 'a2_resnet5': did you mean 'a2_resnet50'",
        ),
        (["summary", "a2_resnet11", "--input=19x"], r"--input must be sizes such as .*: 19x"),
        (["summary", "a2_resnet11", "--input=0x9"], r"a2_resnet11: an input's sizes must be at le"),
        (["summary", "a2_resnet11", "--set", "depth=3"], r"--set takes option=value with one of"),
        (
            ["summary", "a2_resnet11", "a2_resnet50"],
            r"summary takes one NAME. Received: a2_resnet11 a2_resnet50",
        ),
        (["demo", "here"], r"demo takes no arguments. Received: here"),
    ],
)
@pytest.mark.skipif(not _has_tensorflow(), reason="the commands need TensorFlow")
def test_mistakes(arguments, message):
    with pytest.raises(UserError, match=message):
        command.run(arguments)


def define(values):
    flags.DEFINE_integer("count", 3, "how many", flag_values=values)
    flags.DEFINE_enum("kind", "a", ["a", "b"], "which", flag_values=values)
    define_format(values, "csv")
    flags.DEFINE_multi_string("set", [], "key=value; may be repeated", flag_values=values)
    flags.DEFINE_boolean("fast", False, "hurry", flag_values=values)


def define_paths(values):
    define(values)
    flags.DEFINE_string("path", None, "of a file", flag_values=values)
    flags.DEFINE_string("root", "", "of all files", flag_values=values)
    flags.DEFINE_list("paths", [], "of files", flag_values=values)


def test_flags_are_typed_and_positional_arguments_kept():
    arguments = ["x", "--count=5", "--set=a=1", "--set=b=2", "y"]
    values, rest = parse("a2keras x", "Does x.", define, arguments)
    assert (values.count, values.kind, values.set, rest) == (5, "a", ["a=1", "b=2"], ["x", "y"])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--" + 2000 * "x", r"there is no flag --x{38}…: see --help"),
        ("--cuont=5", r"^there is no flag --cuont: did you mean '--count'\?$"),
        ("--zzz=5", r"^there is no flag --zzz: see --help$"),
        ("--count=many", r"flag --count=many: .*\(see --help\)"),
        ("--kind=c", r"flag --kind=c: value should be one of <a\|b> \(see --help\)$"),
        ("--nofast=1", r"^--nofast=1 does not take an argument \(see --help\)$"),
        ("--fast=maybe", r"^--fast takes true or false, or no value. Received: --fast=maybe$"),
        ("", r"^an argument must not be empty \(see --help\)$"),
        ("--undefok=cuont", r"^there is no flag --undefok: see --help$"),
        ("-undefok", r"^there is no flag -undefok: see --help$"),
        ("--flagfile=mine", r"^there is no flag --flagfile: see --help$"),
        ("--path=", r"^--path must not be empty \(see --help\)$"),
        ("--paths=", r"^--paths must not be empty \(see --help\)$"),
        ("--set=", r"^--set must not be empty \(see --help\)$"),
        ("--format=cvs", r"one of <text\|json\|csv> \(did you mean 'csv'\?\)$"),
    ],
)
def test_wrong_flags(argument, message):
    with pytest.raises(UserError, match=message):
        parse("a2keras x", "Does x.", define_paths, [argument])


def test_a_home_is_found_in_every_flag(monkeypatch):
    """Shells expand `~` at the beginning of an argument, which --path=~ has none."""
    monkeypatch.setenv("HOME", "/nowhere/somebody")
    arguments = ["--path=~/run", "--paths=a~,~", "--set=a=~", "--set=~/b", "--root=", "~/c"]
    values, rest = parse("a2keras x", "Does x.", define_paths, arguments)
    assert (values.path, values.paths) == ("/nowhere/somebody/run", ["a~", "/nowhere/somebody"])
    assert (values.set, values.root, rest) == (["a=~", "/nowhere/somebody/b"], "", ["~/c"])
    values, rest = parse("a2keras x", "Does x.", define_paths, ["--", "--path=a", "--undefok=b"])
    assert (values.path, rest) == (None, ["--path=a", "--undefok=b"])


def test_one_value_given_to_the_flag_beside_the_one_of_several():
    def both(values):
        define_format(values)
        flags.DEFINE_list("formats", [], "any of onnx, web", flag_values=values)

    with pytest.raises(UserError, match=r"<text\|json> \(did you mean '--formats=onnx'\?\)$"):
        parse("a2keras x", "Does x.", both, ["--format=onnx"])
    with pytest.raises(UserError, match=r"<text\|json> \(see --help\)$"):
        parse("a2keras x", "Does x.", both, ["--format=zzzz"])


def define_more(values):
    flags.DEFINE_string("root", "", "of all files", flag_values=values)
    flags.DEFINE_integer("folds", 0, "how many", flag_values=values)


def test_help_shows_each_flag_in_order_with_its_choices_and_default(capsys):
    with pytest.raises(SystemExit) as end:
        parse("a2keras x", "Does x.", define, ["--help"])
    assert end.value.code == 0
    assert capsys.readouterr().out.splitlines() == [
        "usage: a2keras x",
        "",
        "Does x.",
        "",
        "  --count=VALUE",
        "      how many (default: '3')",
        "  --kind=a|b",
        "      which (default: 'a')",
        "  --format=text|json|csv",
        "      output format (default: 'text')",
        "  --set=VALUE",
        "      key=value; may be repeated",
        "  --fast",
        "      hurry",
    ]
    with pytest.raises(SystemExit):
        parse("a2keras x", "Does x.", define_more, ["--help"])
    assert capsys.readouterr().out.splitlines()[4:] == [
        "  --root=VALUE",
        "      of all files",  # an empty text says nothing
        "  --folds=VALUE",
        "      how many (default: '0')",
    ]


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.json"
    documents.write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        documents.write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["x.json"]


def test_what_a_failing_start_printed_is_shown(tmp_path):
    code = (
        "import os\nfrom a2keras.console import quiet_native_stderr\n"
        "with quiet_native_stderr(): os.write(2, b'chatter')\n"
        "with quiet_native_stderr():\n  os.write(2, b'the reason')\n  raise SystemExit(3)\n"
    )
    (tmp_path / "a2keras").write_text(code)  # run under the command's name: nothing heavy loads
    done = subprocess.run(
        [sys.executable, tmp_path / "a2keras"], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 3
    assert "the reason" in done.stderr
    assert "chatter" not in done.stderr


def test_a_missing_flag_is_named():
    def needs_output(values):
        flags.DEFINE_string("output", None, "where to", required=True, flag_values=values)

    with pytest.raises(UserError, match=r"^--output is missing \(see --help\)$"):
        parse("a2keras x", "Does x.", needs_output, [])


CALLS = [(), ("--version",), ("tables", "--help"), ("summry",)]
BUFFERED = {**os.environ, "PYTHONUNBUFFERED": ""}  # as a user's Python writes into a pipe


def code_of(arguments) -> int:
    return 0 if arguments and arguments[-1] in ("--help", "--version") else 2


def called(arguments, **options):
    command = [sys.executable, "-m", "a2keras", *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, **{"env": BUFFERED, **options})


@pytest.mark.parametrize("arguments", CALLS)
def test_a_reader_that_has_had_enough_is_no_error(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = called(arguments, stdout=writing)
    finally:
        os.close(writing)
    assert done.returncode == code_of(arguments)
    assert b"Traceback" not in done.stderr and done.stderr.count(b"\n") <= 1


@pytest.mark.parametrize(
    ("arguments", "closed"),
    [(("--help",), ">&-"), (("summry",), "2>&-"), (("tables", "--help"), "<&- >&- 2>&-")],
)
def test_closed_streams_are_no_error(arguments, closed):
    command = [sys.executable, "-m", "a2keras", *arguments]
    line = f"{shlex.join(command)} {closed}"
    done = subprocess.run(line, shell=True, capture_output=True, env=BUFFERED)
    assert done.returncode == code_of(arguments)
    assert b"Traceback" not in done.stderr and b"lost sys" not in done.stderr


def test_a_full_output_is_one_sentence():
    with Path("/dev/full").open("wb") as full:
        done = called(["--help"], stdout=full)
    assert done.returncode == 2
    assert done.stderr == (
        b"a2keras --help: standard output cannot be written: No space left on device\n"
    )


@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1"])
def test_every_encoding_will_do(encoding):
    environment = {**BUFFERED, "PYTHONIOENCODING": encoding}
    done = called(["--help"], stdout=subprocess.PIPE, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    named = {"ascii": "A\\xb2-Nets"}.get(encoding, "A²-Nets")
    assert named in done.stdout.decode(encoding)


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii", "iso-8859-1", "utf-8"])
def test_json_is_json_in_every_encoding(encoding):
    code = (
        "from a2keras import console; console.prepare_streams();"
        "console.print_json({'naïve 😀': 'a\\x1b'}); console.show('naïve 😀\\x1b[2J')"
    )
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    document, _, line = done.stdout.decode(encoding).strip().rpartition("\n")
    assert json.loads(document) == {"naïve 😀": "a\x1b"}
    expected = "naïve 😀\\x1b[2J".encode(encoding, "backslashreplace").decode(encoding)
    assert line == expected


@pytest.mark.slow
def test_an_output_that_breaks_does_not_break_the_command():
    code = (
        "import os, sys; from a2keras import console\n"
        "for stream, write in ((1, console.show), (2, console.say)):\n"
        "    reading, writing = os.pipe(); os.dup2(writing, stream); os.close(reading)\n"
        "    os.close(writing); write('a'); write('b')\n"
        "open(sys.argv[1], 'w').write('done')"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mark"
        assert subprocess.run([sys.executable, "-c", code, path]).returncode == 0
        assert path.read_text() == "done"


WRITER = """
import sys, pathlib, time
sys.argv = ["a2keras", "x"]
from a2keras import __main__ as command, files
def x(arguments):
    with files.replacing_directory(pathlib.Path("out")) as partial:
        (partial / "a").touch()
        with files.replacing("file") as half:
            print("ready", flush=True)
            {0}
command.COMMANDS["x"] = command.Command("x", "")
sys.modules["x"] = sys.modules["__main__"]
sys.exit(command.main())
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129),
                                              (signal.SIGINT, 130)])  # fmt: skip
def test_a_command_that_is_ended_leaves_nothing_half_done(tmp_path, number, code):
    (tmp_path / "a2keras").write_text(WRITER.format("time.sleep(60)"))
    command = [sys.executable, "a2keras"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, **pipes) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, errors = process.communicate()
    assert process.returncode == code
    name = {signal.SIGINT: "interrupted"}.get(number, f"ended by {number.name}")
    assert errors == f"a2keras: {name}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a2keras"]


def test_the_signals_are_given_back(monkeypatch):
    ending = (signal.SIGTERM, signal.SIGHUP)
    during = []
    monkeypatch.setattr(command, "run", lambda _: during.extend(map(signal.getsignal, ending)))
    monkeypatch.setattr(sys, "argv", ["a2keras", "x"])
    hook = sys.unraisablehook
    assert command.main() == 0
    assert signal.SIG_DFL not in during
    assert [signal.getsignal(each) for each in ending] == [signal.SIG_DFL] * 2
    assert sys.unraisablehook is hook


def test_a_signal_that_comes_within_a_callback_is_not_lost(tmp_path):
    code = (
        "import gc, os; gc.callbacks.append(lambda *_: gc.callbacks.clear() or os.kill(os.getpid(),"
        " 15)); gc.collect(); time.sleep(60)"
    )
    (tmp_path / "a2keras").write_text(WRITER.format(code))
    done = subprocess.run(
        [sys.executable, "a2keras"], cwd=tmp_path, capture_output=True, text=True, timeout=50
    )
    assert (done.returncode, done.stderr) == (143, "a2keras: ended by SIGTERM\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a2keras"]


@pytest.mark.parametrize(
    ("raised", "code", "sentence"),
    [
        ("raise OSError(28, 'No space left on device', 'a\\nb')", 2,
         "a2keras x: No space left on device: a\\nb\n"),
        ("open('/', 'w')", 2, "a2keras x: Is a directory: /\n"),
        ("open('y' * 999, 'w')", 2, f"a2keras x: File name too long: {'y' * 999}\n"),
        ("raise command.UserError('two\\nlines\\x1b[2J')", 2,
         "a2keras x: two\\nlines\\x1b[2J\n"),
        ("raise KeyError('a bug')", 1, "KeyError: 'a bug'\n"),
        ("open('absent')", 1, "FileNotFoundError: [Errno 2] No such file or directory: 'absent'\n"),
    ],
)  # fmt: skip
def test_what_the_machine_refuses_is_a_sentence_and_a_bug_is_a_traceback(
    tmp_path, raised, code, sentence
):
    (tmp_path / "a2keras").write_text(WRITER.format(raised))
    command = [sys.executable, "a2keras"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == code
    assert done.stderr.endswith(sentence)
    assert ("Traceback" in done.stderr) == (code == 1)
    assert [path.name for path in tmp_path.iterdir()] == ["a2keras"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            OSError(errno.EMFILE, "Too many open files"),
            "open files while it was at work ([Errno 24]",
        ),
        (MemoryError("no more"), "memory while it was at work (no more): raise its limits"),
        (RuntimeError("can't start new thread"), "threads while it was at work (can't start new"),
    ],
)
def test_what_runs_out_ends_a_command_in_one_sentence(monkeypatch, capsys, error, told):
    def run(arguments):
        raise error

    monkeypatch.setattr(command, "run", run)
    # Not as the command, which, where s3:// was read, ends the process by itself.
    monkeypatch.setattr(sys, "argv", ["a program", "train"])
    assert command.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"a2keras train: this process has run out of {told}")


def test_other_errors_keep_their_traceback(monkeypatch):
    def run(arguments):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(sys, "argv", ["a program", "train"])
    with pytest.raises(RuntimeError, match="a mistake of ours"):
        command.main()
