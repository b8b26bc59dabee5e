"""Tables for people: whole where they are piped, fitted on terminals, safe with any text."""

import os
import pty
import subprocess
import sys

import pytest

from a2keras.console import show_table

CODE = (
    "from a2keras import console; console.prepare_streams(); console.show_table("
    "['name', 'count'], [('a' * 30 + ' ' + 'b' * 30, 7), ('é[red]\\x1b[2J', 1234)], {'count'})"
)


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
