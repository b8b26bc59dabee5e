"""Class maps and attention maps laid over what the network saw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from a2keras.drawing import drawable, figure, title_in_lines
from a2keras.files import replacing
from a2keras.training.charts import INK, MUTED

if TYPE_CHECKING:
    from a2keras.training.explanation.attended import Block, ClassMap

FRAMES_SHOWN = 8
DESCRIPTORS_OF_AN_IMAGE = 4
DESCRIPTORS_OF_A_CLIP = 2
TITLE = 13  # points
TITLE_LINE = 0.22  # inches

_CLASS_LEGEND = "class map: where in the last feature maps the evidence for a class is (Grad-CAM)"
_BLOCK_LEGEND = (
    "gather: where a descriptor is collected (brightest: its largest weight, × that of a uniform "
    "map, which is of medium brightness)",
    "distribution: the descriptor that each position takes most of, one colour each",
)


@dataclass(frozen=True)
class Cell:
    """A frame, with a heat map (0..1) or with one colour per position over it, or plain."""

    frame: np.ndarray
    heat: np.ndarray | None = None
    choice: np.ndarray | None = None
    caption: str = ""


def draw_attention(
    frames: np.ndarray, class_maps: list[ClassMap], blocks: list[Block], title: str, path: Path
) -> None:
    """Draws class maps, and the most concentrated gather maps and the distribution of every block.

    Args:
        frames: uint8 (T, H, W, 3), what entered the network; T = 1 for an image.
        class_maps: of an image all are drawn, of a clip the first.
        blocks: in the network's order.
        title: of the picture.
        path: the PNG to write.
    """
    make_rows = _image_rows if len(frames) == 1 else _clip_rows
    rows = make_rows(frames, class_maps, blocks)
    columns = max(len(cells) for _, cells in rows)
    side = 1.25 if len(frames) > 1 else 1.9
    width = side * columns + 1.7
    title = title_in_lines(title, width, TITLE)
    lines = TITLE_LINE * title.count("\n")
    size = (width, (side + 0.22 * (len(frames) == 1)) * len(rows) + 0.9 + lines)
    shape = (len(rows), columns)
    with figure(path, *shape, size=size, dpi=110, squeeze=False) as (drawing, axes):
        for (label, cells), line in zip(rows, axes, strict=True):
            line[0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=10, color=INK)
            for axis, cell in zip(line, [*cells, *[None] * (columns - len(cells))], strict=True):
                _draw_cell(axis, cell)
        drawing.suptitle(title, color=INK, fontweight="bold", fontsize=TITLE)
        legend = [_CLASS_LEGEND, *_BLOCK_LEGEND] if blocks else [_CLASS_LEGEND]
        drawing.supxlabel("\n".join(legend), color=MUTED, fontsize=8.5)


Rows = list[tuple[str, list[Cell]]]


def _image_rows(frames: np.ndarray, class_maps: list[ClassMap], blocks: list[Block]) -> Rows:
    frame = frames[0]
    cells = [Cell(frame, caption="input")]
    for each in class_maps:
        caption = f"{drawable(each.label, 16)} · {each.probability:.0%}"
        caption += "" if each.map.any() else " · none"
        cells.append(Cell(frame, heat=_heat(each.map)[0], caption=caption))
    rows = [("class maps", cells)]
    for block in blocks:
        cells = [Cell(frame, caption="input")]
        for i in block.most_concentrated(DESCRIPTORS_OF_AN_IMAGE):
            caption = f"gather {i} · {block.peaks()[i]:.0f}×"
            heat = _gathered(block, i)[0]
            cells.append(Cell(frame, heat=heat, caption=caption))
        cells.append(Cell(frame, choice=_choices(block)[0], caption="distribution"))
        rows.append((_words(block), cells))
    return rows


def _clip_rows(frames: np.ndarray, class_maps: list[ClassMap], blocks: list[Block]) -> Rows:
    times = np.unique(np.linspace(0, len(frames) - 1, FRAMES_SHOWN).round().astype(int))
    rows = [("clip", [Cell(frames[t], caption=f"frame {t}") for t in times])]
    for each in class_maps[:1]:
        heat = _heat(each.map)
        steps = times * len(heat) // len(frames)
        cells = [Cell(frames[t], heat=heat[s]) for t, s in zip(times, steps, strict=True)]
        rows.append((f"class map\n{drawable(each.label, 16)}\n{each.probability:.0%}", cells))
    for block in blocks:
        # A block may see fewer time steps than the clip has frames.
        steps = times * len(block.gather) // len(frames)
        for i in block.most_concentrated(DESCRIPTORS_OF_A_CLIP):
            heat = _gathered(block, i)
            cells = [Cell(frames[t], heat=heat[s]) for t, s in zip(times, steps, strict=True)]
            rows.append((f"{_words(block)}\ngather {i}\n{block.peaks()[i]:.0f}×", cells))
        choices = _choices(block)
        cells = [Cell(frames[t], choice=choices[s]) for t, s in zip(times, steps, strict=True)]
        rows.append((f"{_words(block)}\ndistribution", cells))
    return rows


def _words(block: Block) -> str:
    return drawable(block.name.removesuffix("_attention"), 24)


def _gathered(block: Block, descriptor: int) -> np.ndarray:
    """A gather map as heat: relative to its largest weight, or to twice that of a uniform map,
    which would else be as bright everywhere as one that looks at a single position."""
    values = block.gather[..., descriptor]
    return values / max(values.max(), 2 * values.mean())


def _heat(values: np.ndarray) -> np.ndarray:
    """A map relative to its largest value: (T', H', W') from 0 to 1."""
    return values / (values.max() or 1)


def _choices(block: Block) -> np.ndarray:
    """The chosen descriptor at every position as a colour, the most frequent ones apart: RGB."""
    import matplotlib as mpl

    chosen = block.distribution.argmax(axis=-1)
    names, inverse, counts = np.unique(chosen, return_inverse=True, return_counts=True)
    palettes = [mpl.colormaps[name](range(10))[:, :3] for name in ("tab10", "Set3")]
    palette = np.concatenate(palettes)
    rank = np.empty(len(names), int)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(names))
    return palette[np.minimum(rank, len(palette) - 1)][inverse.reshape(chosen.shape)]


def _draw_cell(axis: Any, cell: Cell | None) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    if cell is None:
        return
    axis.set_title(cell.caption, fontsize=9, color=MUTED, pad=3)
    height, width = cell.frame.shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    if cell.heat is None and cell.choice is None:
        axis.imshow(cell.frame, extent=extent)
        return
    # In grey, so that all colour is the map's.
    grey = cell.frame.astype(float) @ [0.299, 0.587, 0.114] / 255
    axis.imshow(grey, cmap="gray", vmin=0, vmax=1.2, extent=extent)
    if cell.heat is not None:
        heat = _enlarged(cell.heat, height, width)
        opacity = 0.15 + 0.6 * heat
        axis.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=opacity, extent=extent)
    else:
        axis.imshow(cell.choice, alpha=0.55, extent=extent, interpolation="nearest")


def _enlarged(heat: np.ndarray, height: int, width: int) -> np.ndarray:
    """A map at the size of the frame, smoothly, for a softmax has no sharp edges to show."""
    from PIL import Image

    size = (max(width, 160), max(height, 160))
    large = Image.fromarray(heat.astype("float32")).resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(large), 0, 1)


def draw_input(pixels: np.ndarray, stem: Path) -> Path:
    """Writes what entered the network, unmarked: an image as PNG, a clip as an endless GIF.

    Args:
        pixels: uint8 (H, W, 3) or (T, H, W, 3).
        stem: the path without its suffix.

    Returns:
        The path that was written.
    """
    from PIL import Image

    if pixels.ndim == 3:
        path = stem.with_suffix(".png")
        with replacing(path) as partial:
            Image.fromarray(pixels).save(partial)
        return path
    path = stem.with_suffix(".gif")
    first, *rest = [Image.fromarray(frame) for frame in pixels]
    with replacing(path) as partial:
        first.save(partial, save_all=True, append_images=rest, duration=120, loop=0)
    return path
