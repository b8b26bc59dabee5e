"""The picture of an ablation: accuracy against cost, and what the rows differ by."""

from pathlib import Path
from typing import Any

from a2keras.drawing import drawable, figure
from a2keras.training.ablation.statistics import LEVEL
from a2keras.training.ablation.words import examples_of, span, words_of
from a2keras.training.charts import BLUE, INK, MUTED, ORANGE

GREEN = "#3a8f5c"
COLOURS = {"non_local": ORANGE, "a2": BLUE, "se": GREEN}
MARKERS = "os^Dv"


def draw_ablation(document: dict[str, Any], path: Path) -> None:
    """Draws every row's accuracy against its multiply-adds, and its difference from the first."""
    rows = document["rows"]
    height = max(4.5, 2.2 + 0.4 * len(rows))
    parts = [_draw_accuracies, *([_draw_differences] if document["differences"] else [])]
    size = (4 + 5 * len(parts), height)
    with figure(path, 1, len(parts), size=size, dpi=130, squeeze=False) as (drawing, ((*axes,),)):
        for draw, axis in zip(parts, axes, strict=True):
            draw(document, axis)
            axis.grid(color="#e4e7eb")
            axis.set_axisbelow(True)
            axis.spines[["top", "right"]].set_visible(False)
        drawing.suptitle(title_of(document), color=INK, fontweight="bold")


def title_of(document: dict[str, Any]) -> str:
    """What the picture shows, in a line."""
    names = dict.fromkeys(row["model"] for row in document["rows"])
    what = f"Table {document['table']}" if document["table"] else drawable(", ".join(names), 60)
    runs = [len(row["runs"]) for row in document["rows"]]
    over = span(runs)
    examples = "1 example" if (count := span(examples_of(document))) == "1" else f"{count} examples"
    return f"{what} on {examples}, {over} {'run' if over == '1' else 'runs'} of each row"


def _draw_accuracies(document: dict[str, Any], axis: Any) -> None:
    """Mean ± std over the seeds, and every seed as a point."""
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    main = document["measures"][-1]
    costs = [row["multiply_adds"] / 1e9 for row in document["rows"]]
    seen: dict[str | None, int] = {}
    for row, cost in zip(document["rows"], apart(costs), strict=True):
        kind = row["attention"]
        seen[kind] = seen.get(kind, -1) + 1
        colour = COLOURS.get(kind, MUTED)
        of_seeds = [100 * seed[main] for seed in row["seeds"]]
        axis.plot([cost] * len(of_seeds), of_seeds, ".", color=colour, alpha=0.4, ms=6)
        axis.errorbar(
            cost,
            100 * row[main]["mean"],
            100 * (row[main]["std"] or 0),
            fmt=MARKERS[seen[kind] % len(MARKERS)],
            color=colour,
            label=drawable(row["row"]),
            ms=7,
            capsize=4,
            elinewidth=1.5,
        )
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.xaxis.set_minor_formatter(
        StrMethodFormatter("{x:.3g}") if max(costs) < 3 * min(costs) else NullFormatter()
    )
    example = "a clip" if document["task"] == "video" else "an image"
    axis.set_xlabel(f"multiply-adds of {example} in G (logarithmic)", color=MUTED)
    axis.set_ylabel(f"{words_of(main)} in %", color=MUTED)
    several = any(row[main]["std"] is not None for row in document["rows"])
    title = "mean ± std over the seeds" if several else "of one seed"
    axis.set_title(title, loc="left", color=INK)
    axis.margins(x=0.1, y=0.1)
    axis.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))


def _draw_differences(document: dict[str, Any], axis: Any) -> None:
    """Paired differences of all rows from the first, with their intervals and all pairs."""
    main, (first, *others) = document["measures"][-1], document["rows"]
    found = {
        each["row"]: each[main]
        for each in document["differences"]
        if each["against"] == first["key"]
    }
    for place, row in enumerate(others):
        if (difference := found.get(row["key"])) is None:
            continue
        colour = COLOURS.get(row["attention"], MUTED)
        pairs = [100 * pair["difference"] for pair in difference["pairs"]]
        axis.plot(pairs, [place] * len(pairs), ".", color=colour, alpha=0.4, ms=6)
        mean, interval = 100 * difference["mean"], difference["interval"]
        reach = 0 if interval is None else 100 * interval[1] - mean
        axis.errorbar(mean, place, xerr=reach, fmt="o", color=colour, ms=7, capsize=4)
    axis.axvline(0, color=MUTED, lw=1)
    axis.set_yticks(range(len(others)), [drawable(row["row"]) for row in others])
    axis.set_ylim(len(others) - 0.5, -0.5)
    axis.set_xlabel(f"points of {words_of(main)} more than {drawable(first['row'])}", color=MUTED)
    several = any(each["interval"] is not None for each in found.values())
    title = "paired differences" + (f", {LEVEL:.0%} intervals" if several else "")
    axis.set_title(title, loc="left", color=INK)


def apart(values: list[float], gap: float = 0.008) -> list[float]:
    """Moves values that lie within half a `gap` (a share) of each other apart, for a picture."""
    moved = list(values)
    order = sorted(range(len(values)), key=values.__getitem__)
    groups: list[list[int]] = []
    for i in order:
        if groups and values[i] < values[groups[-1][0]] * (1 + gap / 2):
            groups[-1].append(i)
        else:
            groups.append([i])
    for group in groups:
        for place, i in enumerate(group):
            moved[i] = values[i] * (1 + gap * (place - (len(group) - 1) / 2))
    return moved
