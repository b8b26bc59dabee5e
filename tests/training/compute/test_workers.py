"""Several machines: who they are, that they compute what one computes, and what if one goes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from a2keras.errors import UserError
from a2keras.training.compute.cluster import Cluster, cluster_from, hosts, tasks_per_node

TWO = {"worker": ["one:2222", "two:2222"]}


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> tuple[Path, dict[str, str], str]:
    """What worker_runs.py left: its directory, how each part ended, and what it said."""
    directory = tmp_path_factory.mktemp("workers")
    program = Path(__file__).with_name("worker_runs.py")
    done = subprocess.run(
        [sys.executable, program, directory],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        timeout=280,
        check=True,
    )
    print(done.stdout, done.stderr)
    return directory, dict(re.findall(r"^([a-z ]+?) (\d.*)$", done.stdout, re.M)), done.stderr


@pytest.mark.slow
def test_two_workers_end_with_the_weights_of_one(runs):
    """Though they have been stopped and killed on the way."""
    directory, endings, _ = runs
    assert endings["one"] == "0"
    assert endings["to the end"].startswith("0 0, ")
    assert differences(directory / "one", directory / "two") < 1e-5
    compare(directory / "one", directory / "two", 1e-5)
    assert json.loads((directory / "two/results.json").read_text())["replicas"] == 2


@pytest.mark.slow
def test_sigterm_for_one_worker_stops_both_after_the_same_step(runs):
    _, endings, said = runs
    assert endings["stopped"].startswith("75 75, ")
    assert re.search(r"stopped by another worker after step [45]: saved. The same command", said)
    assert re.search(r"stopped by SIGTERM after step [45]: saved.", said)


@pytest.mark.slow
def test_a_killed_worker_is_told_within_a_minute_and_the_run_goes_on(runs):
    _, endings, said = runs
    ending, seconds = re.fullmatch(r"(.*), (\d+) seconds apart", endings["killed"]).groups()
    assert ending == "76 -9"
    assert int(seconds) < 60
    assert (
        "worker 0 stops: worker 1 does not answer any more. The last checkpoint, of step 6, is "
        "intact. The same command on all workers goes on from there"
    ) in said
    assert said.count("going on after step 6 of 10, in epoch 2 of 2") == 2  # the chief tells


@pytest.mark.slow
def test_the_chiefs_callbacks_alone_are_called_and_end_both(runs):
    directory, endings, said = runs
    assert endings["early"].startswith("0 0, ")
    (line,) = map(json.loads, (directory / "early/metrics.jsonl").read_text().splitlines())
    (noted,) = map(json.loads, (directory / "notes.0").read_text().splitlines())
    assert (noted["epoch"], noted["loss"]) == (0, line["loss"])
    assert noted["val_accuracy"] == line["validation_accuracy"]
    assert not (directory / "notes.1").exists()
    assert said.count("a callback has asked for it: it ends after epoch 1") == 2
    # The same figures as without: the callbacks' network takes no part.
    (first, *_) = map(json.loads, (directory / "two/metrics.jsonl").read_text().splitlines())
    assert noted["loss"] == pytest.approx(first["loss"], abs=1e-5)


@pytest.mark.slow
def test_a_fresh_process_can_have_any_number_of_replicas(runs):
    assert runs[1]["replicas"] == "3"


def differences(one: Path, other: Path) -> float:
    """The largest difference of any weight or statistic."""
    a, b = (keras.models.load_model(p / "model.keras", compile=False) for p in (one, other))
    assert sum("moving" in v.path for v in a.weights) == 2
    pairs = zip(a.get_weights(), b.get_weights(), strict=True)
    return max(float(np.abs(x - y).max()) for x, y in pairs)


def compare(one: Path, other: Path, tolerance: float) -> None:
    """All metrics, but for the clock."""
    lines = [(p / "metrics.jsonl").read_text().splitlines() for p in (one, other)]
    for a, b in zip(*lines, strict=True):
        a, b = json.loads(a), json.loads(b)
        assert set(a) == set(b) > {"validation_loss", "validation_accuracy"}
        for key in set(a) - {"seconds", "examples_per_second"}:
            assert a[key] == pytest.approx(b[key], abs=tolerance), key


def test_tf_config_comes_back():
    cluster = Cluster(("one:2222", "two:2222"), 1)
    assert json.loads(cluster.tf_config()) == {
        "cluster": TWO,
        "task": {"type": "worker", "index": 1},
    }
    assert cluster_from({"TF_CONFIG": cluster.tf_config()}) == cluster


def test_a_chief_of_its_own_comes_first():
    parts = {"chief": ["zero:1"], **TWO}
    config = {"cluster": parts, "task": {"type": "worker", "index": 1}}
    cluster = cluster_from({"TF_CONFIG": json.dumps(config)})
    assert cluster == Cluster(("zero:1", "one:2222", "two:2222"), 2)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "TF_CONFIG must be {"),
        ('{"cluster": {}}', "(task: field required. Received: "),
        (
            json.dumps({"cluster": {"ps": ["a:1"]}, "task": {"type": "ps", "index": 0}}),
            "(all tasks must be of type worker or chief, not ps)",
        ),
        (
            json.dumps({"cluster": {**TWO, "ps": ["a:1"]}, "task": {"type": "worker", "index": 0}}),
            "(all tasks must be of type worker or chief, not ps)",
        ),
        (
            json.dumps({"cluster": TWO, "task": {"type": "evaluator", "index": 0}}),
            "(all tasks must be of type worker or chief, not evaluator)",
        ),
        (
            json.dumps({"cluster": TWO, "task": {"type": "worker", "index": 2}}),
            "(its cluster has 2 workers, and this is worker 2)",
        ),
        (
            json.dumps(
                {"cluster": {"chief": ["a:1"], **TWO}, "task": {"type": "chief", "index": 1}}
            ),
            "(its cluster has 1 chief, and this is chief 1)",
        ),
        (
            json.dumps({"cluster": TWO, "task": {"type": "chief", "index": 0}}),
            "(its cluster has 0 chiefs, and this is chief 0)",
        ),
        (
            json.dumps(
                {"cluster": {"worker": ["a", "b:1"]}, "task": {"type": "worker", "index": 0}}
            ),
            "a worker's address must be host:port. Received: a",
        ),
        (
            json.dumps(
                {"cluster": {"worker": ["a:1"] * 2}, "task": {"type": "worker", "index": 0}}
            ),
            "the addresses of the workers must differ. Received: a:1, a:1",
        ),
    ],
)
def test_a_wrong_tf_config_is_told(config, message):
    with pytest.raises(UserError) as error:
        cluster_from({"TF_CONFIG": config})
    assert message in str(error.value)


SLURM = {
    "SLURM_JOB_ID": "70042",
    "SLURM_PROCID": "3",
    "SLURM_STEP_NODELIST": "n[9-11],gpu1",
    "SLURM_STEP_TASKS_PER_NODE": "2,1(x3)",
}


def test_slurm_tells_who_is_who():
    port = 20000 + 16 * 42
    workers = ("n9:{}", "n9:{}", "n10:{}", "n11:{}", "gpu1:{}")
    ports = (port, port + 1, port, port, port)
    addresses = tuple(w.format(p) for w, p in zip(workers, ports, strict=True))
    assert cluster_from(SLURM) == Cluster(addresses, 3)


@pytest.mark.parametrize(
    ("nodelist", "names"),
    [
        ("localhost", ["localhost"]),
        ("n[08-11]", ["n08", "n09", "n10", "n11"]),
        ("a-[1,3-4]-ib,b", ["a-1-ib", "a-3-ib", "a-4-ib", "b"]),
    ],
)
def test_lists_of_nodes(nodelist, names):
    assert hosts(nodelist) == names


def test_counts_of_tasks():
    assert tasks_per_node("2(x3),1") == [2, 2, 2, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"SLURM_STEP_NODELIST": "n[1-2][3-4]"}, "this list of nodes cannot be read: SLURM_STEP_"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2x"}, "these counts cannot be read: SLURM_STEP_TASKS_PER"),
        ({"SLURM_STEP_NODELIST": "n[1-2-3]"}, "this list of nodes cannot be read: SLURM_STEP_"),
        ({"SLURM_STEP_NODELIST": "n[-,]"}, "this list of nodes cannot be read: SLURM_STEP_NODE"),
        ({"SLURM_STEP_NODELIST": "n[1-999999999]"}, "this list of nodes cannot be read: SLURM_"),
        ({"SLURM_STEP_TASKS_PER_NODE": "1(x999999)"}, "these counts cannot be read: SLURM_STEP"),
        ({"SLURM_STEP_TASKS_PER_NODE": "999999,1"}, "these counts cannot be read: SLURM_STEP_TA"),
        ({"SLURM_STEP_TASKS_PER_NODE": "²"}, "these counts cannot be read: SLURM_STEP_TASKS_PER"),
        ({"SLURM_JOB_ID": "x2"}, "SLURM_JOB_ID must be a whole number. Received: SLURM_JOB_ID=x2"),
        ({"SLURM_PROCID": "²"}, "SLURM_PROCID must be a whole number. Received: SLURM_PROCID=²"),
        ({"SLURM_STEP_TASKS_PER_NODE": "1"}, "Slurm names as many nodes as counts of tasks."),
    ],
)
def test_what_slurm_says_must_be_understood(changes, message):
    with pytest.raises(UserError) as error:
        cluster_from({**SLURM, **changes})
    assert str(error.value).startswith(message)


def test_without_a_cluster_several_workers_are_refused(run_command, monkeypatch, tmp_path):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    train = ["train", "--recipe=digits_image", f"--output={tmp_path}/run"]
    with pytest.raises(UserError) as error:
        run_command(*train, "--strategy=multi_worker")
    assert str(error.value) == (
        "--strategy=multi_worker needs TF_CONFIG, or Slurm's variables: see docs/training.md"
    )
    with pytest.raises(UserError, match="SLURM_STEP_NODELIST is not set: start the command with"):
        cluster_from({"SLURM_PROCID": "0"})
    with pytest.raises(UserError) as error:
        run_command(*train, "--strategy=multi_worker", "--replicas=2")
    assert str(error.value) == (
        "--strategy=multi_worker takes all there are. Received: --replicas=2"
    )


DOCS = Path(__file__).parents[3] / "docs"


def test_the_documented_tf_config_makes_a_cluster():
    text = (DOCS / "machines.md").read_text()
    (config,) = re.findall(r"^export TF_CONFIG='(.*)'$", text, re.M)
    assert cluster_from({"TF_CONFIG": config}) == Cluster(("node0:2222", "node1:2222"), 0)
    other = config.replace('"index": 0', '"index": 1')
    assert cluster_from({"TF_CONFIG": other}) == Cluster(("node0:2222", "node1:2222"), 1)


@pytest.mark.parametrize("worker", [0, 1])
def test_the_manifest_for_kubernetes_makes_a_cluster(worker):
    text = (DOCS / "kubernetes.yaml").read_text()
    # What Kubernetes makes of it: folded lines, and the variable that was defined before.
    assert text.index("- name: WORKER") < text.index("- name: TF_CONFIG")
    value = re.search(r"- name: TF_CONFIG\s+value: '([^']+)'", text)[1]
    config = re.sub(r"\s*\n\s*", " ", value).replace("$(WORKER)", str(worker))
    cluster = cluster_from({"TF_CONFIG": config})
    assert cluster == Cluster(("a2keras-0.a2keras:2222", "a2keras-1.a2keras:2222"), worker)
    for key in ("completions", "parallelism"):
        assert f"{key}: {len(cluster.workers)}\n" in text
    assert "containerPort: 2222" in text


@pytest.mark.parametrize(
    ("code", "requeued"), [(0, ""), (2, ""), (75, "requeue 42\n"), (76, "requeue 42\n")]
)
def test_the_job_for_slurm_goes_on_where_it_can(tmp_path, code, requeued):
    (tmp_path / "srun").write_text(f'#!/bin/bash\necho "$@" > {tmp_path}/srun.txt\nexit {code}\n')
    (tmp_path / "scontrol").write_text('#!/bin/bash\necho "$@"\n')
    for name in ("srun", "scontrol"):
        (tmp_path / name).chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_ID": "42"}
    script = ["bash", "-u", DOCS / "slurm.sbatch"]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, requeued, "")
    asked = (tmp_path / "srun.txt").read_text().split()
    assert asked[:2] == ["a2keras", "train"]
    assert "--strategy=multi_worker" in asked
