"""Pages of HTML that stand alone: their style, their figures, pictures within them."""

import base64
import html
from collections.abc import Iterable

STYLE = """
:root { color-scheme: light; --ink: #1f2933; --soft: #6b7886; --line: #e1e6eb; --accent: #2f6db5 }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 1180px; padding: 2.5rem 1.25rem 4rem; color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; background: #fff }
h1 { margin: 0; font-size: 2rem; letter-spacing: -.01em }
h2 { margin: 3rem 0 .5rem; padding-top: 1.25rem; border-top: 2px solid var(--ink) }
h3 { margin: 2rem 0 .25rem }
p { max-width: 46rem } .soft, figcaption { color: var(--soft); font-size: .9rem }
.cards { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.25rem 0 }
.card { flex: 1 1 10rem; border: 1px solid var(--line); border-radius: 8px; padding: .75rem 1rem }
.card b { display: block; font-size: 1.6rem; line-height: 1.3; color: var(--accent) }
table { border-collapse: collapse; margin: .75rem 0 }
th, td { padding: .35rem 1rem .35rem 0; text-align: right; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left }
th { color: var(--soft); font-weight: 600; font-size: .85rem }
img { max-width: 100%; height: auto }
.small img { max-width: 34rem; width: 100% }
figure { margin: 1rem 0 }
.clips { display: flex; flex-wrap: wrap; gap: 1rem }
.clips img { width: 128px; image-rendering: pixelated; border-radius: 6px; display: block }
pre { background: #f5f7f9; border-radius: 8px; padding: .8rem 1rem; white-space: pre-wrap;
  font-size: .85rem }
"""


def document(title: str, parts: Iterable[str]) -> str:
    """A page of these parts, which are HTML; the title is text."""
    return "\n".join(
        [
            "<!doctype html><html lang=en><meta charset=utf-8>",
            "<meta name=viewport content='width=device-width,initial-scale=1'>",
            f"<title>{html.escape(title)}</title><style>{STYLE}</style>",
            *parts,
            "",
        ]
    )


def figure(source: str, caption: str, kind: str = "wide") -> str:
    """A picture, by its address relative to the page or by `data_address`, with a caption."""
    caption = html.escape(caption)
    return (
        f"<figure class={kind}><img src='{html.escape(source)}' alt='{caption}'>"
        f"<figcaption>{caption}</figcaption></figure>"
    )


def data_address(content: bytes, kind: str) -> str:
    """A picture as an address that holds it, so that the page needs no other file.

    Args:
        content: of the file.
        kind: such as "image/png".
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
