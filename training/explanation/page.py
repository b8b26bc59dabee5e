"""The page of `a2keras explain`: every example with its maps, and what was measured of them."""

import html
from typing import Any

from a2keras.errors import printable
from a2keras.html_page import document as html_document
from a2keras.html_page import figure

_INTRODUCTION = (
    "Class maps show where in the network's last feature maps ({layer}) the evidence for a class "
    "is: Grad-CAM (Selvaraju et al., ICCV 2017). Gather maps show where a double attention block "
    "collects its descriptors, and its distribution which of them each position takes most of."
)


def page(document: dict[str, Any]) -> str:
    """The page as HTML; pictures lie beside it.

    Args:
        document: what `explain.json` says.
    """
    run = html.escape(printable(document["run"]))
    layer = html.escape(printable(document["class_maps"]["layer"]))
    parts = [
        f"<h1>What {run} looks at</h1>",
        f"<p>{_INTRODUCTION.format(layer=layer)}</p>",
    ]
    if "deletion" in document:
        parts += _summary(document["deletion"])
    for each in document["explained"]:
        parts += _example(each)
    return html_document(f"a2keras explain: {printable(document['run'])}", parts)


def _example(each: dict[str, Any]) -> list[str]:
    name = printable(each["name"])
    caption = f"{name}: {printable(each['prediction'])} ({each['probability']:.1%})"
    if "label" in each:
        caption += f", in truth {printable(each['label'])}"
    parts = [f"<h2>{html.escape(name)}</h2>", figure(each["picture"], caption)]
    if "deletion" in each:
        prediction = printable(each["prediction"])
        caption = f"Deletion: the probability of {prediction} while it is blanked."
        parts.append(figure(each["deletion"]["picture"], caption))
    return parts


def _summary(deletion: dict[str, Any]) -> list[str]:
    rows = "".join(
        f"<tr><td>{html.escape(printable(line['method']))}<td>{line['area']:.3f}"
        f"<td>{line['random_area']:.3f}<td>{line['beats_random']} of {line['examples']}"
        for line in deletion["maps"]
    )
    return [
        "<h2>Do the maps tell the truth?</h2>",
        "<p>The positions that a map marks most are blanked first, with "
        f"{html.escape(deletion['blanked_by'])}, until nothing is left. The smaller the area under "
        "the probability of the predicted class, the more the network needed what the map marks; "
        "a map that does no better than positions at random says nothing.</p>",
        f"<table><tr><th>map<th>area<th>area at random<th>below every random order{rows}</table>",
    ]
