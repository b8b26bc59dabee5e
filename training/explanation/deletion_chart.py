"""The chart of a deletion test: the probability as positions are blanked, map by map."""

from pathlib import Path

from a2keras.drawing import drawable, figure, title_in_lines
from a2keras.training.charts import BLUE, INK, MUTED
from a2keras.training.explanation.deletion import Deletion
from a2keras.training.explanation.overlays import TITLE, TITLE_LINE


def draw_deletion(found: list[Deletion], title: str, path: Path) -> None:
    """Draws the probability of the predicted class as positions are blanked, map by map."""
    columns = min(len(found), 3)
    rows = -(-len(found) // columns)
    width = max(4.2 * columns, 7)
    title = title_in_lines(title, width, TITLE)
    size = (width, 3.2 * rows + 0.9 + TITLE_LINE * title.count("\n"))
    with figure(path, rows, columns, size=size, dpi=110, squeeze=False, sharey=True) as (
        drawing,
        axes,
    ):
        for axis in axes.flat[len(found) :]:
            axis.set_visible(False)
        for axis, each in zip(axes.flat, found, strict=False):
            share = 100 * each.fractions
            low, high = each.random.min(axis=0), each.random.max(axis=0)
            axis.fill_between(share, low, high, color=MUTED, alpha=0.25, lw=0)
            label = f"at random ({len(each.random)} orders), area {each.random_areas.mean():.3f}"
            axis.plot(share, each.random.mean(axis=0), color=MUTED, lw=1.5, label=label)
            label = f"most marked first, area {each.area:.3f}"
            axis.plot(share, each.probabilities, color=BLUE, lw=2, marker="o", ms=3.5, label=label)
            axis.set_title(drawable(each.method), loc="left", color=INK, fontsize=10)
            axis.set_ylim(0, 1.02)
            axis.grid(color="#e4e7eb")
            axis.set_axisbelow(True)
            axis.spines[["top", "right"]].set_visible(False)
            axis.tick_params(colors=MUTED)
            axis.legend(frameon=False, fontsize=8, loc="upper right")
        drawing.suptitle(title, color=INK, fontweight="bold", fontsize=TITLE)
        drawing.supxlabel("blanked positions in % (mean colour)", color=MUTED, fontsize=9)
        drawing.supylabel("probability of the predicted class", color=MUTED, fontsize=9)
