"""Tables 2 and 3 on small videos: rows as recipes, their costs, runs that go on, the report."""

import dataclasses
import json
import statistics
from pathlib import Path

import numpy as np
import pytest

from a2keras.counting import count
from a2keras.errors import UserError
from a2keras.models.paper_tables import TABLES
from a2keras.models.preprocessing.spec import Preprocessing
from a2keras.training.ablation import running
from a2keras.training.ablation.picture import apart
from a2keras.training.ablation.plan import Ablation
from a2keras.training.ablation.report import markdown
from a2keras.training.ablation.rows import key, network_of, of_paper, rows_of
from a2keras.training.ablation.step_cost import measure
from a2keras.training.compute import network
from a2keras.training.config import Recipe

VIDEO = Recipe("mine", task="video", size=8, frames=3, batch_size=4)


def rows(table):
    return {key(row): row for row in TABLES if row.table == table}


def test_the_keys_of_all_rows():
    assert list(rows(2)) == [
        "resnet_26", "resnet_29", "nl_conv2", "nl_conv3", "nl_conv4", "a2_conv2", "a2_conv3",
        "a2_conv4",
    ]  # fmt: skip
    assert list(rows(3)) == [
        "resnet_26", "resnet_29", "nl_1_conv4", "nl_2_conv4", "nl_4_conv3_4", "a2_1_conv4",
        "a2_2_conv4", "a2_4_conv3_4",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "name", "model", "attention", "positions"),
    [
        (2, "resnet_26", "resnet26_video", "none", ""),
        (2, "resnet_29", "resnet29_video", "none", ""),
        (2, "nl_conv3", "resnet26_video", "non_local", "conv3_2"),
        (3, "a2_2_conv4", "resnet26_video", "a2", "conv4_1,conv4_2"),
        (3, "nl_4_conv3_4", "resnet26_video", "non_local", "conv3_1,conv3_2,conv4_1,conv4_2"),
    ],
)
def test_rows_are_recipes(table, name, model, attention, positions):
    recipe = of_paper(rows(table)[name]).applied(dataclasses.replace(VIDEO, model="c3d", epochs=7))
    assert (recipe.model, recipe.attention, recipe.positions) == (model, attention, positions)
    assert (recipe.epochs, recipe.size, recipe.seed) == (7, 8, 0)


def test_a_row_as_a_recipe_is_the_paper_s_network():
    """Table 2's 7.112 M of A² @ Conv3 and 8.7 G, through recipe and builder."""
    row = rows(2)["a2_conv3"]
    recipe = of_paper(row).applied(dataclasses.replace(VIDEO, size=112, frames=16))
    preprocessing = Preprocessing(tuple(map(str, range(400))), 112, frames=16)
    counted = count(network.build(recipe, preprocessing))
    assert counted.parameters - 4 * 1024 - 400 == pytest.approx(7.1121e6, abs=50)
    assert counted.multiply_adds == pytest.approx(8.7359e9, abs=0.5e5)


def test_tables_share_the_runs_of_one_network():
    shared = {network_of(row) for row in rows(2).values()}
    assert shared & {network_of(row) for row in rows(3).values()} == {
        "resnet26_video",
        "resnet29_video",
        "resnet26_video_non_local_conv4_2",
        "resnet26_video_a2_conv4_2",
    }


@pytest.mark.slow
def test_costs_are_measured_in_a_process_of_their_own():
    recipe = dataclasses.replace(VIDEO, model="a2_resnet11_video", attention="none", size=16)
    found = measure(recipe, ("a", "b"), "none", None)
    counted = count(network.build(recipe, Preprocessing(("a", "b"), 16, frames=3)))
    for name in ("parameters", "multiply_adds", "planned_multiply_adds", "activation_bytes"):
        assert found[name] == getattr(counted, name)
    low, high = found["step_spread"]
    assert 0 < low <= found["step_seconds"] <= high < 60
    assert 5 <= found["steps"] <= 30
    assert 0 < found["processor_seconds"] < 60
    assert (found["batch_size"], found["replicas"], found["peak_of"]) == (4, 1, "the process")
    # Weights, gradients and momenta at least; and not the process with TensorFlow in it.
    assert 3 * 4 * counted.parameters < found["peak_bytes"] < 2**30


@pytest.mark.slow
def test_costs_that_cannot_be_measured_say_why():
    recipe = dataclasses.replace(VIDEO, model="a2_resnet11_video", positions="conv9_9")
    with pytest.raises(UserError) as error:
        measure(recipe, ("a", "b"), "none", None)
    assert str(error.value).startswith(
        "the costs of a2_resnet11_video cannot be measured: a2keras.errors.UserError: "
        "a2_resnet11_video cannot be built by this recipe: `positions` must name units"
    )


def test_a_process_that_is_killed_says_so(tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho something harmless >&2\nkill -9 $$\n")
    script.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(script))
    with pytest.raises(UserError) as error:
        measure(VIDEO, ("a", "b"), "none", None)
    assert str(error.value) == (
        "the costs of auto cannot be measured: its process was ended by signal 9"
    )


@pytest.fixture
def small_networks(monkeypatch, costs_of_one_step):
    """Puts a network with two places for blocks in the place of ResNet-26 and ResNet-29."""
    import keras

    from a2keras import models
    from a2keras.models.blocks import Blocks

    def build(name, input_tensor, classes, attention=None, positions=()):
        blocks = Blocks(attention, positions, reduction=2)
        x = keras.layers.Conv3D(6, 3, strides=2, padding="same", use_bias=False)(input_tensor)
        x = blocks(keras.layers.BatchNormalization()(x), "conv3_2")
        if name == "resnet29_video":
            x = keras.layers.Conv3D(6, 1)(x)
        x = blocks(x, "conv4_2")
        x = keras.layers.GlobalAveragePooling3D()(x)
        x = keras.layers.Dense(classes, activation="softmax")(x)
        return keras.Model(keras.utils.get_source_inputs(input_tensor), x)

    monkeypatch.setattr(models, "build", build)


@pytest.fixture
def videos(tmp_path, write_video):
    """Five videos of each of two classes; the last two of each are the test set."""
    for name, shade in (("dark", 0), ("light", 90)):
        for i in range(5):
            write_video(tmp_path / "videos" / name / f"{i}.avi", 4, (16, 20), shade)
    (tmp_path / "videos/dark/9.avi").write_bytes(b"no video")
    return tmp_path / "videos"


def settings(output: Path, *more: str) -> list[str]:
    keep = ["size=8", "frames=3", "batch_size=3", "epochs=2", "views=2", "validation_fraction=0"]
    keep += [r"group_pattern=(\d)\.avi", "test_groups=3,4", *more]
    return [f"--output={output}", *(f"--set={each}" for each in keep)]


@pytest.mark.slow
def test_an_ablation_from_videos_to_the_table(tmp_path, videos, small_networks, run_command):
    output = tmp_path / "ablation"
    call = ["ablate", "--table=2", f"--data=folder:{videos}", "--rows=resnet_26,nl_conv3"]
    first = json.loads(run_command(*call, *settings(output), "--seeds=1", "--format=json"))
    assert [row["key"] for row in first["rows"]] == ["resnet_26", "nl_conv3"]
    assert all(row["video@1"]["std"] is None for row in first["rows"])
    runs = {path.name: path for path in (output / "runs").iterdir()}
    assert set(runs) == {"resnet26_video_seed0", "resnet26_video_non_local_conv3_2_seed0"}
    stopped = runs["resnet26_video_non_local_conv3_2_seed0"]
    model = stopped / "model.keras"
    weights, measured = model.read_bytes(), (output / "costs.json").read_bytes()
    times = {path: path.stat().st_mtime_ns for path in output.glob("runs/*/model.keras")}

    # A run that was stopped before its last epoch's results goes on; the finished ones stay.
    for name in ("results.json", "evaluation.json", "model.keras"):
        (stopped / name).unlink()
    del times[model]
    second = json.loads(run_command(*call, *settings(output), "--seeds=2", "--format=json"))
    assert times == {path: path.stat().st_mtime_ns for path in times}
    assert (output / "costs.json").read_bytes() == measured
    check_same_model(weights, model.read_bytes(), tmp_path)
    assert second == json.loads((output / "ablation.json").read_text())
    check_document(second, output)
    text = (output / "ablation.md").read_text()
    assert text == markdown(second)
    check_markdown(text, second)
    assert (output / "ablation.png").read_bytes().startswith(b"\x89PNG")

    with pytest.raises(UserError) as error:
        run_command(*call, *settings(output, "epochs=3"))
    assert str(error.value) == (
        f"{output}/runs/resnet26_video_seed0 is a run with epochs=2, not epochs=3: "
        "choose another --output"
    )
    with pytest.raises(UserError) as error:
        run_command(*call, *settings(runs["resnet26_video_seed0"]))
    assert str(error.value) == (
        f"{runs['resnet26_video_seed0']} is a run, not an ablation: choose another --output"
    )


def check_same_model(before: bytes, after: bytes, folder: Path) -> None:
    import keras

    models = []
    for name, content in (("before", before), ("after", after)):
        (folder / f"{name}.keras").write_bytes(content)
        models.append(keras.models.load_model(folder / f"{name}.keras", compile=False))
    pairs = zip(*(model.get_weights() for model in models), strict=True)
    assert all((a == b).all() for a, b in pairs)


def check_document(document: dict, output: Path) -> None:
    assert (document["examples"], document["skipped"], document["classes"]) == (4, 1, 2)
    assert document["split_rules"][0].startswith(r"test: groups 3,4 of (\d)\.avi")
    assert document["recipe"]["frames"] == 3
    assert "positions" not in document["recipe"]
    seeds = set()
    for row in document["rows"]:
        evaluations = [
            json.loads((output / run["run"] / "evaluation.json").read_text()) for run in row["runs"]
        ]
        for measure_name in ("clip@1", "video@1"):
            values = [each[measure_name] for each in evaluations]
            assert row[measure_name]["mean"] == pytest.approx(np.mean(values))
            assert row[measure_name]["std"] == pytest.approx(statistics.stdev(values))
        assert {each["fingerprint"] for each in evaluations} == {document["fingerprint"]}
        for run in row["runs"]:
            recipe = json.loads((output / run["run"] / "recipe.json").read_text())
            assert recipe["positions"] == ",".join(row["positions"])
            assert recipe["seed"] == run["seed"]
            seeds.add(run["seed"])
    assert seeds == {0, 1}
    plain, non_local = document["rows"]
    # Four projections of 6 and 3 channels, each behind a batch normalisation of its own.
    block = 4 * 6 * 3 + 4 * (3 * 6 + 3)
    assert non_local["parameters"] == plain["parameters"] + block
    # L = 2·4·4 positions, m = 3: 4cmL + 2mL².
    extra = non_local["multiply_adds"] - plain["multiply_adds"]
    assert extra == 4 * 6 * 3 * 32 + 2 * 3 * 32**2


def check_markdown(text: str, document: dict) -> None:
    lines = text.splitlines()
    assert lines[0].split(" | ")[0] == "| row"
    row = document["rows"][1]
    cells = [cell.strip() for cell in lines[3].strip("|").split("|")]
    assert cells[0] == "ResNet-26 + NL @ Conv3"
    assert cells[2] == f"{row['multiply_adds'] / 1e9:.4f} G"
    assert cells[3] == f"{1000 * row['step_seconds']:.0f} ms"
    mean, deviation = row["video@1"]["mean"], row["video@1"]["std"]
    assert cells[4] == f"{1000 * row['processor_seconds']:.0f} ms"
    assert cells[8:] == [f"{100 * mean:.1f} ± {100 * deviation:.1f} %", "2"]
    assert f"1 file skipped, file list {document['fingerprint'][:16]}" in text
    assert "one of 4 examples is 25.0 points" in text
    assert "always answering the most frequent class: 50.0 %" in text


def test_equal_costs_are_drawn_beside_each_other():
    assert apart([5.0, 2.0, 5.001, 9.0, 5.0], gap=0.1) == pytest.approx(
        [4.5, 2.0, 5.5011, 9.0, 5.0]
    )


def test_a_run_that_fails_does_not_keep_the_others(
    tmp_path, videos, small_networks, monkeypatch, capsys
):
    trained = []

    def train(recipe, output, *rest, **more):
        trained.append(recipe.model)
        raise UserError(f"{recipe.model} is no good")

    monkeypatch.setattr(running, "train", train)
    recipe = VIDEO.override([f"data=folder:{videos}", "batch_size=3"])
    output = tmp_path / "ablation"
    with pytest.raises(UserError) as error:
        chosen = rows_of(2, ("resnet_26", "resnet_29"), ())
        running.ablate(Ablation(chosen, recipe, output, seeds=1, table=2))
    assert trained == ["resnet26_video", "resnet29_video"]
    assert str(error.value) == (
        f"2 of 2 runs failed, such as {output}/runs/resnet26_video_seed0: resnet26_video is no good"
    )
    lines = capsys.readouterr().err.splitlines()
    assert {"run 1 of 2: ResNet-26, seed 0", "this run failed: resnet26_video is no good"} < {
        *lines
    }


def test_what_is_refused(tmp_path, images, run_command):
    call = ["ablate", f"--output={tmp_path / 'ablation'}"]
    with pytest.raises(UserError) as error:
        run_command(*call, f"--data=folder:{images}", "--table=3")
    assert str(error.value) == (
        "Tables 2 and 3 compare networks that take videos; the paper has no such table of images. "
        f"Received: --data=folder:{images}, which are images"
    )
    with pytest.raises(UserError) as error:
        run_command(*call, "--data=digits", "--table=3", "--rows=nl_conv4")
    assert str(error.value) == (f"Table 3 has no row nl_conv4: its rows are {', '.join(rows(3))}")
    with pytest.raises(UserError) as error:
        run_command(*call, "--data=digits", "--table=2", "--seeds=0")
    assert str(error.value) == "--seeds must be at least 1. Received: --seeds=0"
    with pytest.raises(UserError) as error:
        rows_of(4, (), ())
    assert str(error.value) == "`table` must be 2 or 3. Received: `table=4`"
    with pytest.raises(UserError, match=r"^ablate takes no arguments\. Received: more$"):
        run_command(*call, "--data=digits", "--table=2", "more")
    assert not (tmp_path / "ablation").exists()
