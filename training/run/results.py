"""What a finished run leaves: the model, its preprocessing, its figures and its curves."""

import keras
import tensorflow as tf

from a2keras.documents import write_json
from a2keras.files import replacing
from a2keras.training.charts import draw_curves
from a2keras.training.compute import network
from a2keras.training.compute.computation import Computation
from a2keras.training.data.source import Source
from a2keras.training.run.directory import Run
from a2keras.training.run.next_commands import example_file
from a2keras.training.run.progress import figures_of
from a2keras.training.run.samples import draw_samples


def write(
    run: Run, computation: Computation, source: Source, history: list[dict], chosen: dict
) -> None:
    """Writes the model and what goes with it, and results.json last: then the run is done.

    A fresh float32 model takes the weights. What is saved then has nothing of the training in it
    (synchronised batch normalisation, mixed precision, the optimizer) and loads anywhere.

    Args:
        run: where to write.
        computation: whose model has the weights.
        source: of the run.
        history: a line for each epoch.
        chosen: that of the epoch whose weights these are.
    """
    finished = network.build(run.recipe, computation.preprocessing)
    finished.set_weights(computation.read(computation.model.weights))
    with run.writing("the results"):
        with replacing(run.model_path) as partial:
            finished.save(partial)
        computation.preprocessing.save(run.path)
        draw_samples(source, computation.preprocessing, run.recipe.seed).save(run.path)
        draw_curves(history, computation.labelling.figures, run.path / "curves.png")
        document = {
            "model": run.recipe.model,
            "parameters": finished.count_params(),
            "epochs": len(history),
            "steps": history[-1]["step"],
            "seconds": round(sum(line["seconds"] for line in history), 1),
            "replicas": computation.replicas,
            "epoch": chosen["epoch"],
            "metrics": figures_of(chosen),
            "data": source.report(),
            "example_file": example_file(source),
            "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
        }
        write_json(run.path / "results.json", document)
