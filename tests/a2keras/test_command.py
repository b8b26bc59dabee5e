"""The `a2keras` command: its table, its help, and a user's mistakes."""

import json
import os
import subprocess
import sys
from importlib import import_module

import pytest
from absl import flags

from a2keras import __main__ as command
from a2keras import documents
from a2keras.command_line import parse
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
            r"there is no network 'a2_resnet5': choose from a2_efficientnet_",
        ),
        (["summary", "a2_resnet11", "--input=19x"], r"--input must be sizes such as .*: 19x"),
        (["summary", "a2_resnet11", "--input=0x9"], r"a2_resnet11: an input's sizes must be at le"),
        (["summary", "a2_resnet11", "--set", "depth=3"], r"--set takes option=value with one of"),
        (
            ["summary", "a2_resnet11", "a2_resnet50"],
            r"one network at a time. Received: a2_resnet11",
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
    flags.DEFINE_multi_string("set", [], "key=value; may be repeated", flag_values=values)
    flags.DEFINE_boolean("fast", False, "hurry", flag_values=values)


def test_flags_are_typed_and_positional_arguments_kept():
    arguments = ["x", "--count=5", "--set=a=1", "--set=b=2", "y"]
    values, rest = parse("a2keras x", "Does x.", define, arguments)
    assert (values.count, values.kind, values.set, rest) == (5, "a", ["a=1", "b=2"], ["x", "y"])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--cuont=5", r"Unknown command line flag 'cuont'. Did you mean: count"),
        ("--count=many", r"flag --count=many: .*\(see --help\)"),
        ("--kind=c", r"flag --kind=c: value should be one of <a\|b>"),
    ],
)
def test_wrong_flags(argument, message):
    with pytest.raises(UserError, match=message):
        parse("a2keras x", "Does x.", define, [argument])


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
        "  --set=VALUE",
        "      key=value; may be repeated",
        "  --fast",
        "      hurry",
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


def test_a_reader_that_has_had_enough_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "a2keras", "tables", "--help"]
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}  # as a user's Python writes into a pipe
    try:
        done = subprocess.run(
            command, stdout=writing, stderr=subprocess.PIPE, text=True, env=buffered
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
