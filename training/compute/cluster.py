"""Which workers share a run: read from TF_CONFIG, or from what Slurm tells its tasks."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from a2keras.documents import parse_json
from a2keras.errors import UserError, counted, reason_of
from a2keras.whole_numbers import is_number, number_of

# Where a run may be computed, see `strategies.strategy_for`; those of one process first.
LOCAL_STRATEGIES = ("auto", "none", "mirrored")
STRATEGIES = (*LOCAL_STRATEGIES, "multi_worker", "tpu")
MAX_TASKS = 100_000  # of a job step: more than any cluster has
_SLURM = ("SLURM_PROCID", "SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE", "SLURM_JOB_ID")


@dataclass(frozen=True)
class Cluster:
    """The processes of a run on several machines.

    Attributes:
        workers: their addresses, "host:port", in the same order everywhere. The first is the chief.
        index: which of them this process is.
    """

    workers: tuple[str, ...]
    index: int

    def __post_init__(self) -> None:
        if not self.workers:
            raise UserError("there must be a worker at least. Received: none")
        if len(set(self.workers)) < len(self.workers):
            raise UserError(
                f"the addresses of the workers must differ. Received: {', '.join(self.workers)}"
            )
        for worker in self.workers:
            if not re.fullmatch(r"\S+:\d+", worker):
                raise UserError(f"a worker's address must be host:port. Received: {worker}")
        if not 0 <= self.index < len(self.workers):
            raise UserError(
                f"there are {counted(len(self.workers), 'worker')}, numbered from 0. "
                f"Received: worker {self.index}"
            )

    def tf_config(self) -> str:
        """The value of TF_CONFIG that says the same."""
        task = {"type": "worker", "index": self.index}
        return json.dumps({"cluster": {"worker": list(self.workers)}, "task": task})


def cluster_from(environment: Mapping[str, str]) -> Cluster:
    """The cluster that the environment of a process describes.

    Args:
        environment: `os.environ`. TF_CONFIG is taken where it is set, otherwise the variables that
            Slurm's `srun` sets for each task.

    Raises:
        UserError: neither is there, or what is there cannot be understood.
    """
    if environment.get("TF_CONFIG"):
        return _from_tf_config(environment["TF_CONFIG"])
    if "SLURM_PROCID" in environment:
        return _from_slurm(environment)
    raise UserError(
        "`strategy=multi_worker` needs TF_CONFIG, or Slurm's variables: see docs/training.md"
    )


@dataclass(frozen=True)
class _Task:
    type: str
    index: int | str


@dataclass(frozen=True)
class _TfConfig:
    """TF_CONFIG, as far as it says who is there."""

    cluster: dict[str, tuple[str, ...]]
    task: _Task


def _from_tf_config(text: str) -> Cluster:
    try:
        config: _TfConfig = parse_json(text, _TfConfig)
        cluster, kind = config.cluster, config.task.type
        index = number_of("index", str(config.task.index))
        if others := [each for each in (*cluster, kind) if each not in ("chief", "worker")]:
            # A parameter server, such as "ps", has no part in replicas that stay in step.
            raise ValueError(f"all tasks must be of type worker or chief, not {others[0]}")
        count = len(cluster.get(kind, ()))
        if index >= count:
            raise ValueError(f"its cluster has {counted(count, kind)}, and this is {kind} {index}")
        # TensorFlow counts a chief of its own before the workers.
        chief = cluster.get("chief", ())
        workers = (*chief, *cluster.get("worker", ()))
        return Cluster(workers, index + (len(chief) if kind == "worker" else 0))
    except ValueError as error:
        raise UserError(
            'TF_CONFIG must be {"cluster": {"worker": ["host:port", …]}, "task": {"type": "worker",'
            f' "index": 0}}}}. Received: {text[:1000]} ({reason_of(error)})'
        ) from error


def _from_slurm(environment: Mapping[str, str]) -> Cluster:
    """The tasks of a job step, numbered as `srun` numbers them: node by node.

    TensorFlow's own SlurmClusterResolver sorts the nodes by the alphabet, n10 before n2, and wants
    GPUs. The ports come from the job's number, so that two jobs can share a node.
    """
    missing = [name for name in _SLURM if name not in environment]
    if missing:
        raise UserError(f"{missing[0]} is not set: start the command with srun")
    nodes = hosts(environment["SLURM_STEP_NODELIST"])
    counts = tasks_per_node(environment["SLURM_STEP_TASKS_PER_NODE"])
    if len(nodes) != len(counts):
        raise UserError(
            "Slurm names as many nodes as counts of tasks. Received: "
            f"SLURM_STEP_NODELIST={environment['SLURM_STEP_NODELIST']}, "
            f"SLURM_STEP_TASKS_PER_NODE={environment['SLURM_STEP_TASKS_PER_NODE']}"
        )
    try:
        job, rank = (number_of(each, environment[each]) for each in (_SLURM[-1], _SLURM[0]))
    except ValueError as error:
        raise UserError(str(error)) from None
    port = 20000 + 16 * (job % 1000)
    workers = (
        f"{node}:{port + task}"
        for node, count in zip(nodes, counts, strict=True)
        for task in range(count)
    )
    return Cluster(tuple(workers), rank)


def hosts(nodelist: str) -> list[str]:
    """Expands Slurm's list of nodes: `n[8-10,12],gpu1` → n8, n9, n10, n12, gpu1."""
    names: list[str] = []
    for part in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", nodelist):
        found = re.fullmatch(r"([^\[\]]*)(?:\[([0-9,-]+)\])?([^\[\]]*)", part)
        numbers = _numbers(found[2]) if found else None
        if found is None or numbers is None or len(names) + len(numbers) > MAX_TASKS:
            raise UserError(f"this list of nodes cannot be read: SLURM_STEP_NODELIST={nodelist}")
        names += [f"{found[1]}{number}{found[3]}" for number in numbers]
    return names


def _numbers(ranges: str | None) -> list[str] | None:
    """`08-10,12` → 08, 09, 10, 12; a name without numbers is one. None where they are no ranges."""
    if ranges is None:
        return [""]
    numbers = []
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        if not is_number(first) or not is_number(last or first):
            return None
        count = range(int(first), int(last or first) + 1)
        if len(count) > MAX_TASKS:
            return None
        numbers += [str(number).zfill(len(first)) for number in count]
    return numbers


def tasks_per_node(text: str) -> list[int]:
    """Expands Slurm's counts: `2(x3),1` → 2, 2, 2, 1."""
    counts: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"([0-9]{1,6})(?:\(x([0-9]{1,6})\))?", part)
        tasks = int(found[1]) * int(found[2] or 1) if found else 0
        if found is None or not 0 < tasks <= MAX_TASKS - sum(counts):
            raise UserError(f"these counts cannot be read: SLURM_STEP_TASKS_PER_NODE={text}")
        counts += [int(found[1])] * int(found[2] or 1)
    return counts
