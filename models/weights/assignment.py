"""Arrays into the variables of a model by name: all that fit or none, with a report of both."""

import dataclasses
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from a2keras import graphs
from a2keras.errors import printable
from a2keras.models.weights.weight_files import Chain
from a2keras.normalization import derive_normalizations

_NAMELESS = re.compile(r"variable(_\d+)?")
_LISTED = 6  # names in a line of a report, before "and N more"


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of every array of a source and of every variable of a model.

    Attributes:
        source: where the arrays came from.
        model: name of the model.
        loaded: the model's variables that got an array, such as "conv1_conv/kernel".
        skipped: (name, reason) of every array that was left: by the name of the variable that it
            would have become, by its own name where there is none.
        new: the model's variables that no array was found for: they are as they were, which in a
            model just built is newly initialised.
        notes: what else to know, in sentences.
    """

    source: str
    model: str
    loaded: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = ()
    new: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        total = len(self.loaded) + len(self.new)
        lines = [f"{self.model}: {len(self.loaded)} of {total} variables loaded from {self.source}"]
        reasons: dict[str, list[str]] = {}
        for name, reason in self.skipped:
            reasons.setdefault(reason, []).append(name)
        for reason, names in itertools.islice(reasons.items(), _LISTED):
            lines.append(f"  skipped {len(names)} ({reason}): {_by_layer(names)}")
        if rest := sum(map(len, itertools.islice(reasons.values(), _LISTED, None))):
            lines.append(f"  skipped {rest} more for other reasons, all in `skipped`")
        if self.new:
            lines.append(f"  newly initialised {len(self.new)}: {_by_layer(self.new)}")
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(map(printable, lines))  # a name does not make two of a line


def _by_layer(names: Iterable[str]) -> str:
    """Variables by the outermost layers that they are in: "conv3_1_attention (20)"."""
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(name.split("/")[0], []).append(name)
    return listing(
        [f"{n} ({len(part)})" if len(part) > 1 else part[0] for n, part in parts.items()]
    )


def listing(names: Sequence[str]) -> str:
    """The first few of the names, and how many more there are."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def variables_by_layer(model: keras.Model) -> dict[Chain, list[Any]]:
    """The weights of a model by the names of their layers, each layer's in the order of its file.

    A layer that occurs several times stands under the first of its names, as in Keras's files.

    Raises:
        ValueError: two layers of one name side by side, or a layer that saves its weights in a way
            of its own: both cannot be found by name.
    """
    weights = {id(variable) for variable in model.weights}
    found: dict[Chain, list[Any]] = {}
    seen: set[int] = set()

    def visit(layer: Any, chain: Chain) -> None:
        if id(layer) in seen:
            return
        seen.add(id(layer))
        saved: dict[str, Any] = {}
        layer.save_own_variables(saved)
        own = [variable for variable in saved.values() if id(variable) in weights]
        if own:
            if chain in found:
                raise ValueError(
                    "weights are found by the names of their layers, which must differ. Received: "
                    f"model {model.name!r} with two layers {'/'.join(chain)!r}"
                )
            found[chain] = own
        for child in _children(layer):
            visit(child, (*chain, child.name))

    visit(model, ())
    missing = weights - {id(each) for own in found.values() for each in own}
    if missing:
        names = [variable.path for variable in model.weights if id(variable) in missing]
        raise ValueError(
            "weights are found by the names of their layers, but these layers save them in a way "
            f"of their own: {listing(names)}. Received: model {model.name!r}"
        )
    return found


def _children(layer: Any) -> list[Any]:
    if isinstance(layer, keras.Model):
        return layer.layers
    return graphs.layers_of(layer, recursive=False)


def name_of(chain: Chain, variable: Any, index: int) -> str:
    """A variable's name in reports: "conv3_1_attention/phi/kernel".

    Args:
        chain: of the layer.
        variable: one of its own.
        index: its place among them, which tells it where the layer gave it no name. Keras then
            counts all such variables of a process, others in every model.
    """
    name = f"variable_{index}" if _NAMELESS.fullmatch(variable.name) else variable.name
    return "/".join((*chain, name))


def variables_of(model: keras.Model) -> dict[str, Any]:
    """The weights of a model by name, in the order of its layers.

    Raises:
        ValueError: as `variables_by_layer`, or two variables of one name in a layer.
    """
    named = [
        (name_of(chain, each, index), each)
        for chain, own in variables_by_layer(model).items()
        for index, each in enumerate(own)
    ]
    variables = dict(named)
    if len(variables) < len(named):
        names = [name for name, _ in named]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"model {model.name!r} has two variables of the name {double!r}")
    return variables


def assign(
    model: keras.Model,
    arrays: Mapping[str, np.ndarray],
    *,
    source: str,
    skip_mismatch: bool = False,
    skipped: tuple[tuple[str, str], ...] = (),
    notes: tuple[str, ...] = (),
) -> Report:
    """Assigns arrays to the weights of a model that have their names.

    Everything is checked before the first assignment: with an error the model is as it was.

    Args:
        arrays: {name of a variable, as `variables_of` has it: its new value}.
        source: where they come from, for the report and for messages.
        skip_mismatch: leave variables as they are that have no array, or one of another shape: the
            classifier for other classes, attention blocks that a plain network has not.
        skipped: arrays that were left already, with their reasons.
        notes: go into the report.

    Raises:
        ValueError: no array fits; or, without `skip_mismatch`, one is missing or of another shape.
    """
    variables = variables_of(model)
    fitting: dict[str, np.ndarray] = {}
    left = list(skipped)
    for name, array in arrays.items():
        if name not in variables:
            left.append((name, "not in the model"))
        elif tuple(array.shape) != tuple(variables[name].shape):
            shapes = f"shape {tuple(array.shape)}, in the model {tuple(variables[name].shape)}"
            left.append((name, shapes))
        else:
            fitting[name] = array
    loaded = tuple(name for name in variables if name in fitting)
    new = tuple(name for name in variables if name not in fitting)
    if infinite := [name for name, array in fitting.items() if not np.isfinite(array).all()]:
        notes = (*notes, f"values that are not finite: {listing(infinite)}")
    report = Report(source, model.name, loaded, tuple(left), new, notes)
    if not fitting:
        raise ValueError(
            f"nothing in {source} fits model {model.name!r}, whose variables are named "
            f"{listing(new)}; there are {listing([name for name, _ in left]) or 'none'} instead"
        )
    check_family(model, variables, arrays, fitting, source)
    if new and not skip_mismatch:
        reasons = dict(left)
        parts = [f"{name}: {reasons[name]}" for name in new if name in reasons]
        if len(parts) > _LISTED:
            parts[_LISTED:] = [f"{len(parts) - _LISTED} more of other shapes"]
        if absent := [name for name in new if name not in reasons]:
            parts.append(f"nothing for {_by_layer(absent)}")
        raise ValueError(
            f"{len(new)} of {len(variables)} variables of model {model.name!r} find no value in "
            f"{source} ({'; '.join(parts)}): `skip_mismatch=True` leaves them as they are"
        )
    for name, array in fitting.items():
        variables[name].assign(array)
    derive_normalizations(model)
    return report


def check_family(
    model: keras.Model,
    variables: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    fitting: Mapping[str, np.ndarray],
    source: str,
) -> None:
    """Refuses weights of another architecture, of which a few have a place by accident.

    Raises:
        ValueError: less than a third of the model's kernels, and of the source's, fit.
    """
    kernels = [name for name, variable in variables.items() if len(variable.shape) > 1]
    offered = [name for name, array in arrays.items() if array.ndim > 1]
    fits = [name for name in kernels if name in fitting]
    if 3 * len(fits) < min(len(kernels), len(offered)):
        raise ValueError(
            f"only {len(fits)} of the {len(kernels)} kernels of model {model.name!r} find a value "
            f"in {source}: these are two different architectures"
        )
