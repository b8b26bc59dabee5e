"""Times and memory of artefacts, measured in processes of their own."""

import json
import os
import shutil
import sys
from typing import ClassVar

import numpy as np
import pytest

from a2keras.__main__ import main
from a2keras.errors import UserError
from a2keras.export.benchmark import timing
from a2keras.export.benchmark.accuracy import Labelled
from a2keras.export.benchmark.bench import Bench
from a2keras.export.interface.benchmark import benchmark
from a2keras.export.predict import load
from a2keras.training.data.source import fingerprints_of


@pytest.mark.slow
def test_the_command_measures_each_in_its_own_process(image_run, image_export, monkeypatch, capsys):
    tflite, saved_model = image_export / "model_float32.tflite", image_export / "saved_model"
    command = ["a2keras", "benchmark", str(tflite), str(saved_model), "--repeats=7", "--batch=3"]
    monkeypatch.setattr(sys, "argv", [*command, "--threads=1", "--warm_up=2", "--format=json"])
    assert main() == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["threads"], document["repeats"]) == (1, 7)
    first, second = document["artefacts"]
    assert [entry["kind"] for entry in (first, second)] == ["tflite", "saved_model"]
    assert [entry["batch"] for entry in (first, second)] == [1, 3]
    assert first["bytes"] == tflite.stat().st_size
    assert second["bytes"] == sum(p.stat().st_size for p in saved_model.rglob("*") if p.is_file())
    assert (first["latency_ratio"], first["throughput_ratio"]) == (1, 1)
    for entry in (first, second):
        assert 0 < entry["latency_median"] <= entry["latency_p95"] < 60
        assert 0 < entry["load_seconds"] < 60
        assert entry["examples_per_second"] > 0
        assert 0 < entry["peak_bytes"] <= entry["batch_peak_bytes"] < 2**31
    text = timing.table(document).splitlines()
    assert text[0].endswith("1 thread; 7 calls each")
    assert text[2].split()[0] == "export/model_float32.tflite"
    assert len({len(line) for line in text[1:]}) == 1


class FakeWorker:
    """Answers with times that a clock of this test gives: drift slows all of them alike."""

    clock = 1.0
    log: ClassVar[list] = []

    def __init__(self, name: str, threads: int, batch: int, warm_up: int) -> None:
        self.name = name.removesuffix(".onnx")
        self.speed = {"fast": 1.0, "slow": 3.0}[self.name]
        self.about = {"path": self.name, "batch": {"fast": 1, "slow": batch}[self.name]}

    def finish(self):
        return {"batch_peak_bytes": 5}

    def close(self):
        pass

    def run(self, count, batched):
        FakeWorker.log.append((self.name, count, batched))
        FakeWorker.clock *= 1.05
        size = 2.0 if batched else 1.0
        return [FakeWorker.clock * self.speed * size * step for step in (1, 1, 1, 1, 2)[:count]]


def test_turns_ratios_and_quantiles(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("fast", "slow"):
        (tmp_path / f"{name}.onnx").touch()
    monkeypatch.setattr(timing, "Worker", FakeWorker)
    monkeypatch.setattr(FakeWorker, "log", [])
    monkeypatch.setattr(FakeWorker, "clock", 1.0)
    document = timing.benchmark(["fast.onnx", "slow.onnx"], repeats=12, batch=4)
    fast, slow = document["artefacts"]
    # Three rounds, to and fro; before each turn one call that does not count.
    fast_turn, slow_turn = [("fast", 1), ("fast", 5)], [("slow", 1), ("slow", 5), ("slow", 1)]
    expected = fast_turn + slow_turn + slow_turn + fast_turn
    expected += [("fast", 1), ("fast", 2), ("slow", 1), ("slow", 2), ("slow", 1)]
    assert [entry[:2] for entry in FakeWorker.log] == expected
    assert [entry[0] for entry in FakeWorker.log if entry[2]] == ["slow"] * 3
    # Slower by 3, and by what the clock has drifted between two neighbours' turns.
    assert slow["latency_ratio"] == pytest.approx(3, rel=0.11)
    # A batch of 4 takes twice the time of one example: 4 / (3 · 2) of the first's throughput.
    assert slow["throughput_ratio"] == pytest.approx(4 / 6, rel=0.2)
    times = np.repeat([1.05**2, 1.05**10, 1.05**12], (5, 5, 2))
    all_times = times * [1, 1, 1, 1, 2, 1, 1, 1, 1, 2, 1, 1]
    assert fast["latency_median"] == pytest.approx(np.median(all_times))
    assert fast["latency_p95"] == pytest.approx(np.quantile(all_times, 0.95))
    assert fast["examples_per_second"] == pytest.approx(1 / 1.05**10)


def test_a_bench_counts_the_model_only(image_run):
    bench = Bench(str(image_run), threads=1, batch=5, warm_up=1)
    about = bench.about()
    assert about["kind"] == "keras"
    assert about["bytes"] == (image_run / "model.keras").stat().st_size
    assert about["batch"] == 5
    assert len(bench.run(3, batched=True)) == 3


def test_mistakes(image_export, tmp_path, monkeypatch, capsys):
    for arguments, message in (
        ([], "give at least one artefact"),
        (["absent"], "absent does not exist"),
        (["--repeats=0", "x"], "flag --repeats=0: 0 is not a positive integer"),
    ):
        monkeypatch.setattr(sys, "argv", ["a2keras", "benchmark", *arguments])
        assert main() == 2
        assert capsys.readouterr().err.startswith(f"a2keras benchmark: {message}")
    cut = tmp_path / "cut.tflite"
    cut.write_bytes((image_export / "model_float32.tflite").read_bytes()[:1000])
    with pytest.raises(UserError) as caught:
        timing.Worker(str(cut), threads=1, batch=1, warm_up=1)
    assert str(caught.value) == (
        f"{cut} cannot be loaded as tflite: it is damaged, cut off or no LiteRT model"
    )


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.kill(os.getpid(), 11)", "its process was ended by signal 11 (SIGSEGV)"),
        ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
    ],
)
def test_a_worker_that_ends(launched, tmp_path, code, reason):
    launched(f"import sys; sys.stdin.readline(); exec({code!r})")
    model = tmp_path / "model.tflite"
    model.touch()
    with pytest.raises(UserError) as caught:
        timing.benchmark([str(model)])
    assert str(caught.value) == f"{model} cannot be measured: {reason}"


@pytest.fixture
def launched(monkeypatch, tmp_path):
    """Lets Python run this code, whatever it is told to run."""

    def launch(code: str) -> None:
        (tmp_path / "worker.py").write_text(code)
        launcher = tmp_path / "python"
        launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/worker.py"\n')
        launcher.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(launcher))

    return launch


def test_workers_are_told_their_threads(launched, tmp_path):
    launched(
        "import json, os, sys; sys.stdin.readline()\n"
        "told = os.environ['TF_NUM_INTRAOP_THREADS'] + ' threads'\n"
        "print(json.dumps({'mistake': told}), flush=True)"
    )
    model = tmp_path / "model.tflite"
    model.touch()
    for threads, told in ((3, 3), (None, len(os.sched_getaffinity(0)))):
        with pytest.raises(UserError, match=f"^{told} threads$"):
            timing.benchmark([str(model)], threads=threads)


@pytest.fixture
def labelled(image_run, photos, tmp_path):
    """The photos in folders of the classes that the run answers, but for one, and one that is none.

    Returns:
        the folder, and the share of right answers among those that can be read.
    """
    artefact = load(image_run, apart=False)
    right = 0
    for number, photo in enumerate(photos):
        scores = artefact.classify(photo)
        label = int(scores.argmin() if number == 0 else scores.argmax())
        right += number > 0
        folder = tmp_path / "photos" / artefact.preprocessing.labels[label]
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, folder / f"{number}{photo.suffix}")
    (folder / "damaged.png").write_bytes(b"\x89PNG")
    return tmp_path / "photos", right / len(photos)


@pytest.mark.slow
def test_accuracy_stands_beside_latency(image_run, image_export, labelled, capsys):
    folder, right = labelled
    paths = [image_run, image_export / "model_float32.tflite"]
    document = benchmark(paths, data=f"folder:{folder}", repeats=1, warm_up=1)
    assert [entry["top1"] for entry in document["artefacts"]] == [pytest.approx(right)] * 2
    assert 0 < right < 1
    assert document["data"]["data"] == f"folder:{folder}"
    text = timing.table(document).splitlines()
    assert text[1].split()[-1] == "top-1"
    assert text[2].split()[-1] == f"{right:.1%}"
    assert len({len(line) for line in text[1:-1]}) == 1
    assert text[-1].startswith(f"top-1 of {document['data']['examples']} examples of folder:")
    document["data"]["split_rule"] = "by the folders train, test"
    split = timing.table(document).splitlines()[-1]
    assert split.startswith(f"top-1 of {document['data']['examples']} test examples of folder:")


@pytest.mark.slow
def test_a_run_that_was_trained_on_the_examples(image_run, labelled, tmp_path, capsys):
    folder, _ = labelled
    run, others = tmp_path / "run", f"folder:{folder}"
    shutil.copytree(image_run, run)
    source = Labelled.open(str(run), others).source
    known = fingerprints_of(source.splits["test"], source.fingerprint)[1:3]
    report = {"fingerprint": "", "skipped": [], "trained_on": " ".join(known)}
    (run / "data.json").write_text(json.dumps(report))
    (run / "recipe.json").write_text("{}")
    document = benchmark([run, image_run], data=others, repeats=1, warm_up=1)
    first, second = document["artefacts"]
    total, name = len(source.splits["test"]), source.splits["test"].names[1]
    expected = (
        f"WARNING: 2 of the {total} examples are files that {run} was trained on, such as {name}: "
        "the score says little about others"
    )
    assert first["warning"] == expected
    assert expected in capsys.readouterr().err.splitlines()
    assert "warning" not in second
    assert Labelled.open(str(run / "model.keras"), others).warning() == expected
    (run / "recipe.json").unlink()  # then it is no run, and its data.json may be anything
    (run / "data.json").write_text("[1]")
    assert Labelled.open(str(run / "model.keras"), others).warning() is None


def test_data_of_other_classes_are_refused_before_anything_is_timed(
    image_run, tmp_path, photos, monkeypatch
):
    for name in ("left", "down"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        shutil.copy(photos[0], tmp_path / "photos" / name)
    monkeypatch.setattr(timing, "benchmark", None)
    with pytest.raises(UserError) as error:
        benchmark(image_run, data=f"folder:{tmp_path}/photos")
    assert str(error.value) == (
        f"folder:{tmp_path}/photos has a class down, which the run does not know: its classes are "
        "left, right, up"
    )
    with pytest.raises(UserError, match=r"^`data` must be one of"):
        benchmark(image_run, data="zip:photos")
