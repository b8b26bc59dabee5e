"""The page of `a2keras demo`: what was trained, how well, what it attends to, what was exported."""

import html
from typing import Any

from a2keras.errors import counted
from a2keras.html_page import document, figure

_INTRODUCTION = {
    "image": (
        "Which digit?",
        "1,797 digits written by hand and scanned, 8×8 pixels each, enlarged to 32×32. Those that "
        "are tested stand in a block of the file of their own, so that they come from other "
        "writers as far as the file can tell.",
    ),
    "video": (
        "How does it move?",
        "Clips in which one of the same scanned digits moves on a torus from a random place. The "
        "class is the motion. Every class visits every position equally often at every frame, so "
        "no single frame tells the class: the network must relate positions across time.",
    ),
}


def page(stories: list[dict[str, Any]], seconds: float) -> str:
    """The page as HTML; pictures are linked relative to the page.

    Args:
        stories: what each task left; see `a2keras.demo`.
        seconds: how long all of it took.
    """
    parts = [
        "<h1>a2keras: double attention on scanned digits</h1>",
        "<p>Each double attention block <em>gathers</em> a few descriptors from all positions of "
        "an image or a clip, with one softmax map per descriptor, and <em>distributes</em> them "
        "back, with a second softmax at every position (Chen et al., “A²-Nets”, NeurIPS 2018).</p>",
        f"<p class=soft>Everything on this page was computed here in {seconds:.0f} seconds.</p>",
    ]
    for story in stories:
        parts += [*_heading(story), *_training(story), *_attention(story), *_artefacts(story)]
    return document("a2keras demo", parts)


def _heading(story: dict[str, Any]) -> list[str]:
    title, text = _INTRODUCTION[story["task"]]
    results, evaluation = story["results"], story["evaluation"]
    cards = {
        "top-1 on unseen digits": f"{evaluation['top1']:.1%}",
        "balanced accuracy": f"{evaluation['balanced_accuracy']:.1%}",
        "always the most frequent class": f"{evaluation['majority_rate']:.1%}",
        f"parameters of {results['model']}": f"{results['parameters']:,}",
        f"epochs, {counted(results['replicas'], 'replica')}": str(results["epochs"]),
        "seconds for all of this task": f"{story['seconds']:.0f}",
    }
    boxes = "".join(
        f"<div class=card><b>{html.escape(value)}</b>{html.escape(name)}</div>"
        for name, value in cards.items()
    )
    examples = results["data"]["examples"]
    counts = ", ".join(f"{number:,} {split}" for split, number in examples.items())
    return [
        f"<h2>{title}</h2><p>{text}</p>",
        f"<p class=soft>Examples: {counts}. Split: {html.escape(evaluation['split_rule'])}.</p>",
        f"<div class=cards>{boxes}</div>",
    ]


def _training(story: dict[str, Any]) -> list[str]:
    run = f"{story['directory']}/run"
    return [
        "<h3>Training and test</h3>",
        figure(f"{run}/curves.png", "Loss, accuracy and learning rate by epoch."),
        figure(f"{run}/confusion.png", "Confusion on the test examples.", "small"),
        f"<p>More: <a href='{run}/mistakes.html'>the worst mistakes</a> with their pictures, "
        f"<a href='{run}/calibration.png'>the calibration</a> and "
        f"<a href='{run}/predictions.csv'>what was said of every example</a>.</p>",
    ]


def _attention(story: dict[str, Any]) -> list[str]:
    directory = f"{story['directory']}/explain"
    parts = [
        "<h3>What it attends to</h3>",
        "<p>Class maps show where the evidence for a class is in the last feature maps (Grad-CAM), "
        "gather and distribution maps what the blocks do.</p>",
    ]
    if story["task"] == "video":
        clips = "".join(
            f"<figure><img src='{directory}/{html.escape(each['input'])}' alt='clip'>"
            f"<figcaption>{html.escape(each['label'])}</figcaption></figure>"
            for each in story["explained"]
        )
        parts.append(f"<div class=clips>{clips}</div>")
    for each in story["explained"]:
        caption = (
            f"{each['name']}: predicted {each['prediction']} ({each['probability']:.1%}), "
            f"in truth {each['label']}."
        )
        parts.append(figure(f"{directory}/{each['picture']}", caption))
    return parts


def _artefacts(story: dict[str, Any]) -> list[str]:
    rows = ""
    for name, entry in story["manifest"]["artefacts"].items():
        parity = entry["parity"]["serving_default"]
        rows += (
            f"<tr><td>{name}<td>{entry['bytes'] / 2**20:.2f}<td>{parity['samples']}"
            f"<td>{parity['max_error']:.1e}<td>{parity['mean_error']:.1e}"
            f"<td>{parity['top1_agreement']:.0%}"
        )
    right = sum(
        answer["top"][0]["label"] == each["label"]
        for answer, each in zip(story["predictions"], story["explained"], strict=True)
    )
    commands = html.escape("\n".join(story["commands"]))
    return [
        "<h3>Artefacts, compared with the Keras model</h3>",
        "<table><tr><th>format<th>MiB<th>samples<th>largest error of a probability<th>mean error"
        f"<th>same top-1{rows}</table>",
        f"<p>The TFLite file, asked about the {len(story['explained'])} inputs above, names the "
        f"right class for {right}.</p>",
        f"<h3>The commands</h3><pre>{commands}</pre>",
    ]
