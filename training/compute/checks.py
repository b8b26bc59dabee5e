"""What can be refused of a run before Keras is loaded: it takes seconds, and mistakes are cheap."""

import dataclasses
import math
import os
from pathlib import Path

from a2keras.errors import UserError
from a2keras.models import names
from a2keras.models.preprocessing.places import absolute
from a2keras.models.weights import published
from a2keras.training.compute.cluster import STRATEGIES, cluster_from
from a2keras.training.config import Recipe
from a2keras.training.data import Listed, list_data
from a2keras.training.data.listing import Listing
from a2keras.whole_numbers import count


def begin(recipe: Recipe, listing: Listing | None = None) -> Listed:
    """The recipe with what its data and its network decide, and the data, listed once.

    Args:
        recipe: as a user gives it.
        listing: of its data, where they have been listed already.

    Raises:
        UserError: data that cannot be used, weights that are not there, or a network that does not
            exist or does not fit the task.
    """
    listed = list_data(recipe, listing=listing)
    recipe = resolve_weights(listed.recipe)
    check_network(recipe)
    return Listed(recipe, listed.listing)


def check_network(recipe: Recipe) -> None:
    """Refuses a network by its name; what takes a look into a file is `network.check`'s."""
    names.check(recipe.model)
    known = names.NETWORKS.get(recipe.model, names.Known())
    if not names.is_file(recipe.model):
        check_task(recipe, known.is_video)
    if recipe.stem and "stem" not in known.options:
        raise UserError(
            f"recipe field stem is for ResNets, of which {recipe.model} is none. "
            f"Received: stem={recipe.stem}"
        )


def check_task(recipe: Recipe, is_video: bool) -> None:
    """`UserError`: the network takes clips and the data are images, or the other way round."""
    if is_video != (recipe.task == "video"):
        kind = "videos" if is_video else "images"
        raise UserError(f"{recipe.model} takes {kind}, but the data are {recipe.task}s")


def check_strategy(name: str, replicas: int | None = None, recipe: Recipe | None = None) -> None:
    """Refuses what contradicts itself on any machine, see `strategies.strategy_for`."""
    if name not in STRATEGIES:
        raise UserError(
            f"`strategy` must be one of {', '.join(STRATEGIES)}. Received: `strategy={name}`"
        )
    count("replicas", replicas)
    if name == "none" and (replicas or 1) > 1:
        raise UserError(f"`strategy=none` is one replica. Received: `replicas={replicas}`")
    if name in ("multi_worker", "tpu") and replicas is not None:
        raise UserError(f"`strategy={name}` takes all there are. Received: `replicas={replicas}`")
    if name == "multi_worker":
        cluster_from(os.environ)
    if recipe is not None and replicas:
        check_batch(recipe, replicas)


def check_batch(recipe: Recipe, replicas: int, workers: int = 1) -> None:
    """Refuses a recipe whose batch the replicas, or workers, cannot share."""
    micro = recipe.batch_size // recipe.accumulate
    if recipe.batch_size % replicas:
        raise UserError(
            f"batch_size must be divisible by the replicas. Received: "
            f"batch_size={recipe.batch_size}, replicas={replicas}"
        )
    if micro % replicas:
        raise UserError(
            "batch_size / accumulate must be divisible by the replicas. Received: "
            f"batch_size={recipe.batch_size}, accumulate={recipe.accumulate}, replicas={replicas}"
        )
    if workers > 1 and recipe.mixes and micro // workers % 2:
        raise UserError(
            "batch_size / accumulate / workers must be even where examples are mixed by pairs "
            f"(mixup, cutmix). Received: batch_size={recipe.batch_size}, "
            f"accumulate={recipe.accumulate}, workers={workers}"
        )


def least_batch(recipe: Recipe, replicas: int, workers: int = 1) -> int:
    """What a batch must be divisible by for `check_batch`, and for the recipe alone."""
    pairs = 2 * (recipe.accumulate * workers if workers > 1 else 1) if recipe.mixes else 1
    return math.lcm(recipe.accumulate * replicas, pairs)


def resolve_weights(recipe: Recipe) -> Recipe:
    """Names the file by its full path; of a run, its model. Published weights keep their name.

    Raises:
        UserError: weights=auto, and there are none published for the network; or published ones
            of a network that was built otherwise than the recipe's.
    """
    if recipe.weights == "auto":
        recipe = dataclasses.replace(recipe, weights=_published_for(recipe))
    _check_built_alike(recipe)
    if recipe.weights in ("", "none") or _known_by_name(recipe):
        return recipe
    path = Path(absolute(recipe.weights))
    path = path / "model.keras" if path.is_dir() else path
    return dataclasses.replace(recipe, weights=str(path))


def check_weights(recipe: Recipe) -> None:
    """`UserError`: the file that a run is to start from is not there."""
    named = recipe.weights in ("", "none") or _known_by_name(recipe)
    if not named and not Path(recipe.weights).is_file():
        raise UserError(f"the recipe's weights cannot be loaded: there is no {recipe.weights}")


def _published_for(recipe: Recipe) -> str:
    """What published weights of a network are called; of a FILE.keras its own have no name.

    Where several are, those of a network that was built as the recipe's.
    """
    model = recipe.model
    if names.is_host(model):
        return "" if names.is_file(model) else "imagenet"
    known = published.names_for(model)
    if alike := [name for name in known if not _built_otherwise(recipe, name)]:
        return alike[0]
    if known:
        return known[0]
    raise UserError(
        f"no weights are published for {model}: set weights to a file, or to none, which is from "
        "scratch. Received: weights=auto"
    )


def _built_otherwise(recipe: Recipe, weights: str) -> dict[str, str]:
    """The fields of a recipe, as they must be for weights that this project trained, if others."""
    record = published.of_network(recipe.model, weights)
    if not isinstance(record, published.Trained):
        return {}
    built = {"attention": "auto", "stem": "", **record.built}
    alike = all(vars(recipe)[name] == built[name] for name in ("attention", "stem"))
    if places := built.get("positions"):  # else the network's own, which a recipe may name or not
        alike = alike and set(places) == set(recipe.unit_names())
        built["positions"] = ",".join(places)
    return {} if alike else built


def _check_built_alike(recipe: Recipe) -> None:
    if built := _built_otherwise(recipe, recipe.weights):
        needed, received = (
            ", ".join(f"{name}={values[name]}" for name in built)
            for values in (built, vars(recipe))
        )
        raise UserError(
            f"weights={recipe.weights} of {recipe.model} go with {needed}; weights may also be a "
            f"file, or none, which is from scratch. Received: {received}"
        )


def _known_by_name(recipe: Recipe) -> bool:
    of_keras = recipe.model.startswith(names.PREFIX) and recipe.weights == "imagenet"
    return of_keras or published.of_network(recipe.model, recipe.weights) is not None
