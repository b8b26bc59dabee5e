"""Tables 1–6: our figures are the specification's, the paper's are as printed, differences told."""

import json
import re
import subprocess
import sys

import pytest

from a2keras.models import paper_tables
from a2keras.models.commands import tables
from a2keras.models.paper_tables import TABLES, parse_figure

# Parameters in M with four numbers per normalised channel, multiply-adds in G: worked out from the
# paper's tables and the original networks' own sources, not from these builders.
EXPECTED = {
    (1, "ResNet-26"): ("7.0478", "8.2734"),
    (1, "ResNet-29"): ("7.6243", "9.1726"),
    (1, "ResNet-50"): ("33.4288", "30.524"),
    (2, "ResNet-26"): ("7.0478", "8.2734"),
    (2, "ResNet-29"): ("7.6243", "9.1726"),
    (2, "ResNet-26 + NL @ Conv2"): ("7.0658", "48.967"),
    (2, "ResNet-26 + NL @ Conv3"): ("7.1166", "13.720"),
    (2, "ResNet-26 + NL @ Conv4"): ("7.3166", "9.314"),
    (2, "ResNet-26 + A² @ Conv2"): ("7.0658", "8.7359"),
    (2, "ResNet-26 + A² @ Conv3"): ("7.1166", "8.7359"),
    (2, "ResNet-26 + A² @ Conv4"): ("7.3166", "8.7359"),
    (3, "ResNet-26"): ("7.0478", "8.2734"),
    (3, "ResNet-29"): ("7.6243", "9.1726"),
    (3, "ResNet-26 + NL, 1 @ Conv4"): ("7.3166", "9.314"),
    (3, "ResNet-26 + NL, 2 @ Conv4"): ("7.5854", "10.354"),
    (3, "ResNet-26 + NL, 4 @ Conv3&4"): ("7.7231", "21.247"),
    (3, "ResNet-26 + A², 1 @ Conv4"): ("7.3166", "8.7359"),
    (3, "ResNet-26 + A², 2 @ Conv4"): ("7.5854", "9.198"),
    (3, "ResNet-26 + A², 4 @ Conv3&4"): ("7.7231", "10.123"),
    (4, "ResNet, ResNet-50"): ("25.6102", "3.858"),
    (4, "ResNet, ResNet-152"): ("60.3442", "11.282"),
    (4, "SENet, ResNet-50"): ("28.1411", "3.8605"),
    (4, "A²-Net, ResNet-50"): ("32.9822", "6.538"),
    (5, "ConvNet+LSTM"): ("8.9674", "37.518"),
    (5, "I3D"): ("12.7118", "111.153"),
    (5, "R(2+1)D"): ("63.7475", "152.356"),
    (5, "A²-Net"): ("40.8262", "40.800"),
    (6, "C3D, VGG"): ("78.4096", "38.547"),
    (6, "Res3D, ResNet-18"): ("33.2320", "20.451"),
    (6, "A²-Net, ResNet-50"): ("40.2135", "40.799"),
    # Fewer classes: 299 · 1024 weights and 299 biases less than in Table 5 for I3D, whose
    # classifier runs at 7 time steps; 299 · 512 and 299 for R(2+1)D.
    (6, "I3D-RGB, Inception"): ("12.4053", "111.151"),
    (6, "R(2+1)D-RGB, ResNet-34"): ("63.5941", "152.356"),
}
# What the paper's tables print, read off its pages: parameters and FLOPs.
PRINTED = {
    1: "7.0 M 8.3 G | 7.6 M 9.2 G | 33.4 M 31.3 G",
    2: "7.043 M 8.3 G | 7.620 M 9.2 G | 7.061 M 49.0 G | 7.112 M 13.7 G | 7.312 M 9.3 G | "
    "7.061 M 8.7 G | 7.112 M 8.7 G | 7.312 M 8.7 G",
    3: "7.043 M 8.3 G | 7.620 M 9.2 G | 7.312 M 9.3 G | 7.581 M 10.4 G | 7.719 M 21.3 G | "
    "7.312 M 8.7 G | 7.581 M 9.2 G | 7.719 M 10.1 G",
    4: "- - | - - | - - | 33.0 M 6.5 G",
    5: "- - | - 107.9 G | - 152.4 G | - 40.8 G",
    6: "- 38.5 G | - 19.3 G | - 107.9 G | - 152.4 G | - 41.6 G",
}
# The network, the size and the classes of every row by its table and what the row begins with.
COUNTED_TO_THE_PAPER = {"7.043 M", "7.620 M", "7.061 M", "7.112 M", "7.312 M", "7.581 M", "7.719 M"}


def rounded(value, printed):
    """A value in the unit and to the digits of a printed figure."""
    figure, unit = printed.split()
    decimals = len(figure.partition(".")[2])
    return f"{value / {'M': 1e6, 'G': 1e9}[unit]:.{decimals}f} {unit}"


@pytest.fixture(scope="module")
def documents():
    return tables.counted(TABLES)


@pytest.mark.slow
def test_every_figure_is_the_specifications(documents):
    assert [(each["table"], each["row"]) for each in documents] == [
        (row.table, row.row) for row in TABLES
    ]
    assert {(each["table"], each["row"]) for each in documents} == EXPECTED.keys()
    for each in documents:
        parameters, multiply_adds = EXPECTED[each["table"], each["row"]]
        got = (
            rounded(each["parameters"], f"{parameters} M"),
            rounded(each["multiply_adds"], f"{multiply_adds} G"),
        )
        assert got == (f"{parameters} M", f"{multiply_adds} G"), each["row"]


def test_the_papers_figures_are_as_printed():
    for table, text in PRINTED.items():
        rows = [row for row in TABLES if row.table == table]
        got = [f"{r.paper_parameters or '-'} {r.paper_multiply_adds or '-'}" for r in rows]
        assert got == text.split(" | ")


@pytest.mark.slow
def test_every_difference_has_its_reason_and_nothing_else_has(documents):
    for row, each in zip(TABLES, documents, strict=True):
        pairs = [
            (each["parameters"], row.paper_parameters),
            (each["multiply_adds"], row.paper_multiply_adds),
        ]
        differs = any(printed and rounded(ours, printed) != printed for ours, printed in pairs)
        assert differs == bool(row.note), each
        assert "\n" not in row.note


@pytest.mark.slow
def test_without_what_the_paper_does_not_count_the_parameters_are_the_printed_ones(documents):
    """Tables 2 and 3: the final normalisation, 4 · 1024 numbers, and 400 biases less."""
    seen = set()
    for row, each in zip(TABLES, documents, strict=True):
        if row.table in (2, 3):
            assert rounded(each["parameters"] - 4496, row.paper_parameters) == row.paper_parameters
            seen.add(row.paper_parameters)
    assert seen == COUNTED_TO_THE_PAPER


@pytest.mark.slow
def test_what_blocks_add_is_what_the_paper_prints(documents):
    """The ΔFLOPs of Tables 2 and 3, but for 463 M, which is 462.4 M (0.1 % more than it costs)."""
    base = documents[3]["multiply_adds"]
    added = {
        each["row"]: each["multiply_adds"] - base for each in documents if each["table"] in (2, 3)
    }
    assert rounded(added["ResNet-26 + NL @ Conv2"], "40.69 G") == "40.69 G"
    assert rounded(added["ResNet-26 + NL @ Conv3"], "5.45 G") == "5.45 G"
    assert rounded(added["ResNet-26 + NL @ Conv4"], "1.04 G") == "1.04 G"
    assert rounded(added["ResNet-26 + NL, 2 @ Conv4"], "2.08 G") == "2.08 G"
    assert rounded(added["ResNet-26 + NL, 4 @ Conv3&4"], "12.97 G") == "12.97 G"
    assert rounded(added["ResNet-26 + A², 2 @ Conv4"], "925 M") == "925 M"
    assert rounded(added["ResNet-26 + A², 4 @ Conv3&4"], "1.85 G") == "1.85 G"
    for stage in ("Conv2", "Conv3", "Conv4"):
        assert rounded(added[f"ResNet-26 + A² @ {stage}"], "462.4 M") == "462.4 M"


def test_rows_are_built_at_the_papers_sizes():
    sizes = {row.name: row.input_size for row in TABLES}
    assert sizes == {
        "resnet26_video": (16, 112, 112),
        "resnet29_video": (16, 112, 112),
        "resnet50_video": (8, 224, 224),
        "a2_resnet50_video": (8, 224, 224),
        "a2_resnet50": (224, 224),
        "resnet50": (224, 224),
        "resnet152": (224, 224),
        "se_resnet50": (224, 224),
        "convnet_lstm": (25, 224, 224),
        "i3d": (64, 224, 224),
        "r2plus1d_34": (32, 112, 112),
        "c3d": (16, 112, 112),
        "res3d_18": (8, 112, 112),
    }
    classes = {1: 400, 2: 400, 3: 400, 4: 1000, 5: 400, 6: 101}
    assert all(row.classes == classes[row.table] for row in TABLES)


@pytest.mark.parametrize(
    ("printed", "value"), [("7.043 M", 7_043_000), ("152.4 G", 152_400_000_000), (None, None)]
)
def test_parse_figure(printed, value):
    assert parse_figure(printed) == value


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "a2keras", "tables", *arguments], capture_output=True, text=True
    )


@pytest.mark.slow
def test_the_command_prints_one_json_list():
    done = command("--table=1", "--format=json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document[0] == {
        "table": 1,
        "row": "ResNet-26",
        "name": "resnet26_video",
        "parameters": 7_047_776,
        "multiply_adds": document[0]["multiply_adds"],
        "paper_parameters": 7_000_000,
        "paper_multiply_adds": 8_300_000_000,
        "note": "",
    }
    assert [each["row"] for each in document] == ["ResNet-26", "ResNet-29", "ResNet-50"]


@pytest.mark.slow
def test_text_and_markdown(documents, capsys, monkeypatch):
    monkeypatch.setattr(tables, "counted", lambda rows: documents)
    tables.tables([])
    text = capsys.readouterr().out
    (line,) = (line for line in text.splitlines() if line.startswith("6      Res3D, ResNet-18"))
    assert re.split(r"\s{2,}", line)[2:6] == ["res3d_18", "33.2320 M", "–", "20.4510 G"]
    mark = re.search(r"\((\d+)\)$", line)[1]
    assert f"\n({mark}) ours is the released network; no reading of it gives 19.3 G" in text
    markdown = tables.as_markdown(list(TABLES), documents).splitlines()
    assert len(markdown) == 2 + len(TABLES)
    assert markdown[-1].startswith("| 6 | A²-Net, ResNet-50 | a2_resnet50_video | 40.2135 M | – |")
    assert {line.count("|") for line in markdown} == {9}


def test_mistakes_are_told(capsys):
    from a2keras.errors import UserError

    with pytest.raises(UserError, match=r"--table must be 1 to 6\. Received: --table=7"):
        tables.tables(["--table=7"])
    with pytest.raises(UserError, match=r"tables takes no arguments\. Received: 3"):
        tables.tables(["3"])


def test_rows_are_frozen():
    with pytest.raises(AttributeError):
        paper_tables.TABLES[0].note = "x"
