"""Where a run is computed: one device, or replicas that stay in step."""

import os

import tensorflow as tf

from a2keras.console import UserError, say
from a2keras.training.cluster import cluster_from
from a2keras.training.computation import Computation
from a2keras.training.computation_tensorflow import TensorFlowComputation


def computation_for(name: str, replicas: int | None = None) -> Computation:
    """Where a run is computed, see `strategy_for`."""
    return TensorFlowComputation(strategy_for(name, replicas))


def strategy_for(name: str, replicas: int | None = None) -> tf.distribute.Strategy:
    """Returns the distribution strategy of a run.

    Args:
        name: `none`: one device; `mirrored`: every GPU, or the `replicas` that are asked for;
            `auto`: mirrored where there are several GPUs or several replicas are asked for.
        replicas: number of replicas: GPUs where there are any, otherwise logical devices of the CPU
            (no faster: for trying out what several GPUs would compute).

    Raises:
        UserError: more replicas than GPUs, or a combination that contradicts itself.
    """
    if name == "multi_worker":
        return _multi_worker(replicas)
    # Not the logical ones: asking for them starts TensorFlow, and then the CPU cannot be split.
    gpus = tf.config.list_physical_devices("GPU")
    if replicas is not None and replicas < 1:
        raise UserError(f"--replicas must be at least 1. Received: --replicas={replicas}")
    if name == "none" and (replicas or 1) > 1:
        raise UserError(f"--strategy=none is one replica. Received: --replicas={replicas}")
    count = replicas or max(len(gpus), 1)
    if name == "none" or (name == "auto" and count == 1):
        return tf.distribute.get_strategy()
    if gpus and count > len(gpus):
        raise UserError(f"there are {len(gpus)} GPUs. Received: --replicas={count}")
    if gpus:
        return tf.distribute.MirroredStrategy([f"GPU:{i}" for i in range(count)])
    _split_cpu(count)
    # Named, because MirroredStrategy would look for NCCL first and warn that there is none.
    reduction = tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(count)], reduction)


def _split_cpu(count: int) -> None:
    """Makes `count` logical devices of the CPU, which works before TensorFlow's first operation."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        configured = tf.config.get_logical_device_configuration(cpu) or [None]
        if len(configured) < count:
            devices = [tf.config.LogicalDeviceConfiguration() for _ in range(count)]
            tf.config.set_logical_device_configuration(cpu, devices)
    except RuntimeError as error:
        raise UserError(
            f"TensorFlow has already started with {len(configured)} logical CPU devices in this "
            f"process. Received: --replicas={count}"
        ) from error


def _multi_worker(replicas: int | None) -> tf.distribute.Strategy:
    """All GPUs of all workers, or one CPU of each."""
    if replicas is not None:
        raise UserError(
            "--strategy=multi_worker takes all GPUs of every worker. "
            f"Received: --replicas={replicas}"
        )
    cluster = cluster_from(os.environ)
    spec = tf.train.ClusterSpec({"worker": list(cluster.workers)})
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        spec, task_type="worker", task_id=cluster.index, rpc_layer="grpc"
    )
    say(f"worker {cluster.index} of {len(cluster.workers)}: waiting for the others")
    return tf.distribute.MultiWorkerMirroredStrategy(resolver)
