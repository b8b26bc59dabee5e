"""The harness attributes what happens to the file; and a short run of it over every reader."""

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import harness
import mutations
from known_failures import READERS as KNOWN
from known_failures import WAYS, way_of
from readers import READERS

NAMES = ("x.json", "x.jsonl", "x.csv", "x.bin", "x.png", "x.keras", "x.pb")


@pytest.mark.slow
def test_every_end_is_attributed_to_its_input(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "MEMORY", 200 * 1024**2)
    reader = KNOWN["known"]
    numbers = list(range(24))
    (report,) = harness.fuzz(
        [reader], lambda _: numbers, tmp_path, processes=1, readers="known_failures"
    )
    sound = [tmp_path / "seeds" / "known" / "sound.txt"]
    expected = {number: way_of(reader.input(number, sound)[1]) for number in numbers}
    assert set(expected.values()) == set(WAYS)
    expected[-1] = way_of(sound[0].read_bytes())
    assert report.counts == Counter(expected.values())
    bad = {number: way for number, way in expected.items() if way not in harness.GOOD}
    assert {number: way for number, way, _, _ in report.failures} == bad
    crash = next(each for each in report.distinct() if each["outcome"] == "crash")
    assert crash["error"] == "SIGSEGV"
    traceback = next(each for each in report.distinct() if each["outcome"] == "traceback")
    assert traceback["error"] == "KeyError: 'nobody knows this key'"


@pytest.mark.parametrize(
    "name", ["x.json", "x.jsonl", "x.csv", "x.bin", "x.png", "x.keras", "x.pb"]
)
def test_damage_is_the_same_again_and_of_many_kinds(name):
    content = json.dumps({"a": [1, 2.5, None], "b": {"c": "text, more text"}}).encode()
    made = [mutations.mutated(random.Random(i), content, name) for i in range(200)]
    assert made == [mutations.mutated(random.Random(i), content, name) for i in range(200)]
    assert len(set(made)) > 150


def test_a_document_stays_a_document_after_a_change():
    content = json.dumps({"a": [1, 2.5, None], "b": {"c": "text, more text"}}).encode()
    changed = [mutations.json_changed(random.Random(i), content) for i in range(100)]
    whole = 0
    for each in changed:
        try:
            json.loads(each)
            whole += 1
        except (ValueError, RecursionError):
            pass
    assert whole > 70 and len(set(changed)) > 50


def test_one_input_is_kept_beside_the_code_and_not_where_one_stands(tmp_path):
    command = [sys.executable, Path(__file__).with_name("run.py"), "--reader=clusters", "--only=3"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    first = done.stdout.splitlines()[0]
    kept = Path(first.rpartition(": ")[2])
    assert kept.is_relative_to(Path(__file__).parents[2] / ".cache" / "fuzz")
    assert kept.stat().st_size == int(first.split()[0])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_damaged_file_ends_in_a_traceback_or_a_crash(tmp_path):
    """The same as `make fuzz`, with few inputs. Under two minutes on two cores."""
    figures = tmp_path / "figures.json"
    command = [sys.executable, Path(__file__).with_name("run.py"), "--quick", f"--output={figures}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    reports = {each["reader"]: each for each in json.loads(figures.read_text())}
    assert reports.keys() == READERS.keys()
    for name, report in reports.items():
        assert report["inputs"] >= READERS[name].quick
