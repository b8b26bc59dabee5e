"""Tables for people: whole where they are piped, fitted on terminals, safe with any text."""

import os
import pty
import subprocess
import sys

import pytest

from a2keras.console import _module_of, show_table

CODE = (
    "from a2keras import console; console.prepare_streams(); console.show_table("
    "['name', 'count'], [('a' * 30 + ' ' + 'b' * 30, 7), ('é[red]\\x1b[2J', 1234)], {'count'})"
)


@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("-m a2keras train", "a2keras"),
        ("-u -m a2keras", "a2keras"),
        ("-um a2keras", "a2keras"),
        ("-uma2keras", "a2keras"),
        ("-X dev -W ignore -m a2keras", "a2keras"),
        ("-Xdev -Wignore -OBm a2keras", "a2keras"),
        ("--check-hash-based-pycs never -P -m a2keras.export.reading.worker 3",
         "a2keras.export.reading.worker"),
        ("-W -m a2keras", None),
        ("train.py -m a2keras", None),
        ("-u train.py -m a2keras", None),
        ("-c pass -m a2keras", None),
        ("-cpass -m a2keras", None),
        ("- -m a2keras", None),
        ("-m", None),
        ("", None),
    ],
)  # fmt: skip
def test_the_module_that_python_runs(line, module):
    assert _module_of(line.split()) == module


@pytest.mark.slow
def test_options_of_python_do_not_change_the_command():
    code = "import sys; from a2keras.console import is_command; print(is_command())"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True).stdout.strip() == "False"
    command = [sys.executable, "-u", "-X", "importtime", "-m", "a2keras", "version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "tensorflow" not in done.stderr
    assert "a2keras.console" in done.stderr


def on_terminal(columns, **environment):
    """What a terminal of some width gets, as lines."""
    parent, child = pty.openpty()
    variables = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), **environment}
    command = [sys.executable, "-c", CODE]
    with subprocess.Popen(command, stdout=child, env=variables) as process:
        process.wait()
    os.close(child)
    text = os.read(parent, 10_000).decode()
    os.close(parent)
    return text.splitlines()


def test_piped_every_row_is_a_line_without_colours(capsys):
    show_table(["name", "count"], [("a" * 300, 7), ("b\x1b[2J", 1234)], numbers=["count"])
    assert capsys.readouterr().out.splitlines() == [
        "name" + " " * 298 + "count",
        "a" * 300 + "      7",
        "b\\x1b[2J" + " " * 295 + "1234",
    ]


def test_several_tables_stand_below_each_other(capsys):
    show_table(["a", "b"], [("x", "y")], least=[5])
    assert capsys.readouterr().out == "a      b\nx      y\n"


@pytest.mark.slow
def test_on_a_terminal_nothing_is_cut_off():
    lines = on_terminal(30)
    assert lines[0].startswith("\x1b[1mname")
    assert lines[1:] == [
        "aaaaaaaaaaaaaaaaaaaaaaa      7",
        "aaaaaaa",
        "bbbbbbbbbbbbbbbbbbbbbbb",
        "bbbbbbb",
        "é[red]\\x1b[2J             1234",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_without_colours_there_are_none(variable):
    lines = on_terminal(80, **variable)
    assert lines[0].split() == ["name", "count"]
    assert lines[1] == "a" * 30 + " " + "b" * 30 + "      7"


def test_an_encoding_that_lacks_a_character_is_no_error():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, env=environment)
    assert done.stdout.splitlines()[2].startswith(b"\\xe9[red]\\x1b[2J")
