"""What the report of an ablation says: every sentence holds for the runs that it is about."""

import dataclasses

import pytest

from a2keras.training.ablation import report
from a2keras.training.ablation.plan import Ablation
from a2keras.training.ablation.rows import rows_of
from a2keras.training.ablation.words import remarks
from a2keras.training.config import Recipe
from a2keras.training.run.directory import Run

RECIPE = Recipe(
    "mine", data="folder:d", task="image", model="resnet20", size=16, batch_size=4, epochs=3
)  # fmt: skip
COSTS = {
    "parameters": 7, "multiply_adds": 11, "steps": 5, "batch_size": 4, "device": "CPU",
    "peak_of": "the process", "step_seconds": 0.1, "processor_seconds": 0.2, "peak_bytes": 2**20,
    "activation_bytes": 2**21,
}  # fmt: skip
BY_FOLDER = "by the folders; validation: 0.1 of every class (seed {seed})"


@pytest.fixture
def document(monkeypatch, tmp_path):
    """ablation.json of some runs: {row: {(seed, fold): examples of two classes that are right}}."""

    def make(right, rows, folds=0, rule=BY_FOLDER, split="test", of=(3, 5), sizes=(4, 4), **fields):
        monkeypatch.setattr(report, "_versions", lambda runs: {"keras": "1"})
        monkeypatch.setattr(Run, "batch_size", lambda run: sizes[run.recipe.seed % 2])
        recipe = dataclasses.replace(RECIPE, folds=folds, weights="auto", **fields)
        ablation = Ablation(rows, recipe, tmp_path, seeds=2)
        results = []
        for row in rows:
            for (seed, fold), count in right.get(row.key, {}).items():
                own = dataclasses.replace(row.applied(recipe), seed=seed, fold=fold, weights="it")
                each = of if isinstance(of, tuple) else of[seed]
                scores = {
                    "data": "folder:d", "fingerprint": "f" * 64, "split": split, "skipped": [],
                    "split_rule": rule.format(seed=seed, fold=fold), "examples": sum(each),
                    "confusion": [[each[0], 0], [0, each[1]]], "top1": count / sum(each),
                    "per_class": {}, "protocol": [f"top-1: {own.crops} crops"],
                }  # fmt: skip
                results.append((row, Run(tmp_path / row.key / f"{seed}_{fold}", own), scores))
        costs = {row.key: {**COSTS, "batch_size": row.applied(recipe).batch_size} for row in rows}
        return report.document(ablation, costs, results, 2 * (folds or 1) * len(rows))

    return make


def test_one_seed_has_no_deviation_and_no_interval(document):
    found = document({"none": {(0, 1): 4}, "a2": {(0, 1): 6}}, rows_of(None, ("none", "a2"), ()))
    assert remarks(found) == [
        "not complete: 2 of 4 runs",
        "data: folder:d, 8 examples of the test split (by the folders), 0 files skipped, "
        "file list ffffffffffffffff",
        "top-1: 1 crops",
        "one of 8 examples is 12.5 points; the binomial standard error of 75.0 % on as many is "
        "15.3 points",
        "differences are of runs of the same seed",
        "always answering the most frequent class: 62.5 %",
        "parameters with moving statistics; multiply-adds and activations, by count, of one image "
        "of 16×16 pixels",
        "steps: of 4 images, median of at least 5 training steps after warm-up on CPU: the time "
        "that passes, and that of all cores, which other work on the machine disturbs less",
        "peak memory: of the process, beyond what it took before there was a network",
        "rows of resnet20: no block: attention=none; A²: attention=a2",
        "3 epochs, batch size 4, learning rate 0.05, float32; all else in ablation.json",
        "versions: keras 1",
    ]
    assert found["recipe"]["weights"] == "it"  # as used, not "auto"
    assert [row["recipe"] for row in found["rows"]] == [{}, {}]
    assert "attention" not in found["recipe"]


def test_seeds_of_one_split(document):
    right = {"none": {(0, 1): 4, (1, 1): 6}, "a2": {(0, 1): 6, (1, 1): 6}}
    found = document(right, rows_of(None, ("none", "a2"), ()), sizes=(3, 4))
    told = remarks(found)
    assert not any("others with every seed" in line for line in told)
    assert told[2] == (
        "± is the sample standard deviation over the seeds, which change the initial weights as "
        "far as these are drawn, the order and the augmentation"
    )
    assert told[4] == (
        "differences are of runs of the same seed; their 95% intervals are Student's t of 2 "
        "observations: one is a seed. They cover what is left to chance in training, not in these "
        "test examples"
    )
    assert told[-2].startswith("3 epochs, batch size 3 to 4, ")  # as the runs had it


def test_splits_that_are_drawn_with_the_seed(document):
    right = {"none": {(0, 1): 4, (1, 1): 6}, "a2": {(0, 1): 6, (1, 1): 6}}
    found = document(
        right,
        rows_of(None, ("none", "a2"), ()),
        rule="test: 0.2 of every class (seed {seed})",
        of={0: (3, 5), 1: (3, 7)},
        patience=2,
    )
    told = remarks(found)
    assert told[:2] == [
        "data: folder:d, 8 to 10 examples of the test split (test: 0.2 of every class (seed 0) | "
        "test: 0.2 of every class (seed 1)), 0 files skipped, file list ffffffffffffffff",
        "the held-out examples are others with every seed",
    ]
    assert told[3].endswith("the order and the augmentation, and the held-out examples")
    assert told[4].startswith("one of 8 examples is 12.5 points; ")
    assert told[5].endswith(
        "observations: one is a seed. The seeds' splits share examples to train on and to test on, "
        "so the intervals are rather too narrow"
    )
    # 5 of 8 and 7 of 10.
    most = "always answering the most frequent class: 66.2 %, the mean over the seeds"
    assert told[6] == most
    assert told[-2].startswith("at most 3 epochs, ")


def test_rows_that_differ_in_more_than_their_blocks(document):
    own = ["big size=32 batch_size=2 epochs=1 crops=3", "like epochs=3"]
    rows = rows_of(None, ("none",), own)
    found = document({key: {(0, 1): 4} for key in ("none", "big", "like")}, rows)
    told = remarks(found)
    assert told[2] == "top-1: 1 crops (no block, like); top-1: 3 crops (big)"
    assert told[6].endswith(
        "of one image of 16×16 pixels (no block, like); image of 32×32 pixels (big)"
    )
    assert told[7].startswith("steps: of 4 images (no block, like); 2 images (big), median of ")
    assert told[-2] == (
        "3 epochs, batch size 4, learning rate 0.05, float32 (no block, like); "
        "1 epoch, batch size 4, learning rate 0.05, float32 (big); all else in ablation.json"
    )
    own = {"size": 32, "batch_size": 2, "epochs": 1, "crops": 3}
    assert found["rows"][1]["recipe"] == own
    assert not own.keys() & found["recipe"].keys()
    assert "| step |" in report.markdown(found)


def test_runs_that_only_some_rows_have(document):
    """Row a2 lacks fold 2 of seed 1, and seed 1 of row se has but fold 1."""
    all_folds = {(seed, fold): 4 for seed in (0, 1) for fold in (1, 2)}
    right = {
        "none": all_folds,
        "se": {(0, 1): 4, (0, 2): 6, (1, 1): 8},
        "a2": {(0, 1): 8, (1, 1): 6},
    }
    rows = rows_of(None, ("none", "se", "a2", "nl"), ())
    found = document(right, rows, folds=3, rule="test: fold {fold} of 3, every class")
    told = remarks(found)
    assert told[:4] == [
        "not complete: 9 of 24 runs",
        "SE lacks seed 1, fold 2; A² lacks seed 0, fold 2 and seed 1, fold 2; NL lacks seed 0, "
        "fold 1 and seed 0, fold 2 and seed 1, fold 1 and 1 more, which others have: the score of "
        "a row is of its own runs, a difference of those that both rows have",
        "a seed counts in the score of a row once its runs of all folds are there",
        "data: folder:d, 16 examples of 2 of 3 folds, each tested once (examples of the folds "
        "1: 8; 2: 8), 0 files skipped, file list ffffffffffffffff",
    ]
    none, se, a2 = found["rows"]
    assert [each["seed"] for each in none["seeds"]] == [0, 1]
    assert (se["seeds"], se["top1"]["mean"]) == (
        [{"seed": 0, "examples": 16, "top1": 0.625}],
        0.625,
    )
    assert a2["top1"]["mean"] == pytest.approx(7 / 8)  # it has no whole seed: all of its runs
    of_a2 = [each["top1"] for each in found["differences"] if each["row"] == "a2"]
    assert [(each["unit"], each["observations"], each["mean"]) for each in of_a2] == [
        ("seed", 2, pytest.approx(3 / 8)),
        ("seed", 2, pytest.approx(1 / 8)),
    ]
    told = " ".join(told)
    assert "Student's t of 2 observations: one is a fold, the mean of its seeds, since" in told
    assert "Student's t of 2 observations: one is a seed. They cover" in told
    assert "; of 3 intervals one in twenty misses by chance alone" in told
