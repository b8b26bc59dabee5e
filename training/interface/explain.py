"""`a2keras.explain`."""

from collections.abc import Sequence
from typing import Any, NotRequired, TypedDict

from a2keras.models.preprocessing.places import Place, place_of, places_of
from a2keras.training.explanation.explain import explain as draw
from a2keras.whole_numbers import count


class Explained(TypedDict):
    """What was drawn of one example; `picture` and `input` are files in the output."""

    name: str
    picture: str
    input: str
    prediction: str
    probability: float
    label: NotRequired[str]  # of an example whose class is known
    class_maps: list[dict[str, Any]]
    blocks: list[dict[str, Any]]
    deletion: NotRequired[dict[str, Any]]


class Explanation(TypedDict):
    """explain.json."""

    run: str
    class_maps: dict[str, str]
    explained: list[Explained]
    skipped: list[dict[str, str]]
    deletion: NotRequired[dict[str, Any]]


def explain(
    run: Place,
    files: Place | Sequence[Place] = (),
    *,
    output: Place,
    samples: int = 4,
    deletion: bool = False,
) -> Explanation:
    """Draws where a network sees its classes and where its blocks gather; a page with all of it.

    Args:
        run: directory of a finished run, a `.keras` file with its preprocessing.json beside it, or
            published weights such as "i3d:kinetics400".
        files: an image or a video, or several, or folders of them; none: examples that the run
            held out.
        output: directory for the pictures, index.html and explain.json.
        samples: how many held-out examples.
        deletion: whether the maps are put to the test: what they mark is blanked step by step.

    Returns:
        What explain.json says; files that cannot be read are in `skipped`, each with its reason.

    Raises:
        UserError: no finished run, a network without feature maps, no file that can be read, or an
            output directory with something else in it.
    """
    samples = count("samples", samples)
    document: Explanation = draw(  # type: ignore[assignment]
        place_of(run), places_of(files), place_of(output), samples, deletion
    )
    return document
