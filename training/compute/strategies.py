"""Where a run is computed: one device, or replicas that stay in step."""

import functools
import os
import re
import socket

import keras
import tensorflow as tf

from a2keras.console import say
from a2keras.errors import UserError
from a2keras.training.compute.checks import check_strategy
from a2keras.training.compute.cluster import Cluster, cluster_from
from a2keras.training.compute.computation import Computation
from a2keras.training.compute.tensorflow import TensorFlowComputation


def computation_for(name: str, replicas: int | None = None) -> Computation:
    """Where a run is computed, on the backend that Keras has.

    Args:
        name: one of `cluster.STRATEGIES`, see `strategy_for`.
        replicas: how many devices share a batch.

    Raises:
        UserError: the devices are not there, or there is no training on the backend.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        from a2keras.training.compute.jax import jax_computation

        return jax_computation(name, replicas)
    if backend != "tensorflow":
        raise UserError(f"training runs on TensorFlow or JAX. Received: KERAS_BACKEND={backend}")
    return TensorFlowComputation(strategy_for(name, replicas))


def strategy_for(name: str, replicas: int | None = None) -> tf.distribute.Strategy:
    """Returns the distribution strategy of a run.

    Args:
        name: `none`: one device; `mirrored`: every GPU that TensorFlow may see, or the `replicas`
            that are asked for; `auto`: mirrored where there are several GPUs or several replicas
            are asked for;
            `multi_worker`: every GPU, or the CPU, of every worker, see `cluster_from`;
            `tpu`: the TPU that TPU_NAME names, or the machine's own.
        replicas: number of replicas: GPUs where there are any, otherwise logical devices of the CPU
            (no faster: for trying out what several GPUs would compute).

    Raises:
        UserError: more replicas than GPUs, no TPU, or a combination that contradicts itself.
    """
    check_strategy(name, replicas)
    if name == "multi_worker":
        return _multi_worker()
    if name == "tpu":
        return _tpu(os.environ.get("TPU_NAME", "local"))
    # Not the logical ones: asking for them starts TensorFlow, and then the CPU cannot be split.
    gpus = tf.config.get_visible_devices("GPU")  # a program may have hidden some of them
    count = replicas or max(len(gpus), 1)
    if name == "none" or (name == "auto" and count == 1):
        return tf.distribute.get_strategy()
    if gpus and count > len(gpus):
        raise UserError(
            f"`replicas` must be at most {len(gpus)}, the GPUs there are. "
            f"Received: `replicas={count}`"
        )
    if not gpus:
        _split_cpu(count)
    kind = "GPU" if gpus else "CPU"
    return _mirrored(tuple(f"{kind}:{i}" for i in range(count)))


_STRATEGIES: dict[tuple[str, ...], tf.distribute.Strategy] = {}


def _mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """The strategy of devices, one in the life of a process.

    Two strategies number their collective operations (NCCL's, on GPUs) alike, which fails or waits
    for ever. So only the first devices have such; the CPU has none, where they gain nothing.
    """
    if devices not in _STRATEGIES:
        without = devices[0].startswith("CPU") or bool(_STRATEGIES)
        reduction = tf.distribute.ReductionToOneDevice() if without else None
        _STRATEGIES[devices] = tf.distribute.MirroredStrategy(list(devices), reduction)
    return _STRATEGIES[devices]


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
            f"process. Received: `replicas={count}`"
        ) from error


def _multi_worker() -> tf.distribute.Strategy:
    """All GPUs of all workers, or one CPU of each."""
    return _of_cluster(cluster_from(os.environ))


@functools.cache  # as `_mirrored`
def _of_cluster(cluster: Cluster) -> tf.distribute.Strategy:
    spec = tf.train.ClusterSpec({"worker": list(cluster.workers)})
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        spec, task_type="worker", task_id=cluster.index, rpc_layer="grpc"
    )
    say(f"worker {cluster.index} of {len(cluster.workers)}: waiting for the others")
    return tf.distribute.MultiWorkerMirroredStrategy(resolver)


def _tpu(name: str) -> tf.distribute.Strategy:
    """All cores of a TPU that is found by its name."""
    try:
        if address := re.fullmatch(r"grpc://(.+):(\d+)", name):
            # TensorFlow would try for ever.
            socket.create_connection((address[1], int(address[2])), timeout=30).close()
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(name)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, ImportError, RuntimeError, OSError, tf.errors.OpError) as error:
        # The first sentence: TensorFlow's second one is about kernels and their attributes.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0]
        raise UserError(f"there is no TPU (TPU_NAME={name}): {reason}") from error
