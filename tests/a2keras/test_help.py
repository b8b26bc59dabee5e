"""`a2keras help` and `a2keras version`."""

import pytest

import a2keras
from a2keras.__main__ import COMMANDS, run, usage
from a2keras.errors import UserError
from a2keras.help import TOPICS


def test_help_alone_lists_the_commands(capsys):
    run(["help"])
    assert capsys.readouterr().out == usage() + "\n"


def test_help_of_a_command_is_its_own(capsys):
    with pytest.raises(SystemExit) as end:
        run(["help", "summary"])
    told = capsys.readouterr().out
    with pytest.raises(SystemExit):
        run(["summary", "--help"])
    assert (end.value.code, told) == (0, capsys.readouterr().out)


@pytest.mark.parametrize(
    ("topic", "line"),
    [("data", "[folder:]DIR "), ("networks", "a2_resnet50 ")],
)
def test_topics_say_what_their_tables_have(topic, line, capsys):
    pytest.importorskip("tensorflow")
    run(["help", topic])
    lines = capsys.readouterr().out.splitlines()
    assert any(each.startswith(line) for each in lines)


def test_the_usage_names_the_topics():
    assert all(topic in COMMANDS["help"].summary for topic in TOPICS)


def test_the_version_is_printed(capsys):
    run(["version"])
    assert capsys.readouterr().out == f"{a2keras.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["help", "predic"], "there is no command or topic 'predic': did you mean 'predict'?"),
        (["help", "a", "b"], "help takes one COMMAND or TOPIC. Received: a b"),
        (["version", "all"], "version takes no arguments. Received: all"),
    ],
)
def test_mistakes(arguments, message):
    with pytest.raises(UserError) as error:
        run(arguments)
    assert str(error.value) == message
