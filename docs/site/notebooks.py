"""`make notebooks`: pages that run as they stand, as notebooks, run from first to last cell.

A page is the source of its notebook: its Python and shell code become cells, the rest is text.
"""

import shutil
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

PAGES = ("layer", "photos", "videos", "deployment")
DOCS = Path(__file__).parents[1]
# The language of a notebook is otherwise that of most of its cells.
PYTHON = """---
jupyter:
  kernelspec:
    name: python3
    display_name: Python 3
    language: python
---
"""


def notebook_of(page: str) -> nbformat.NotebookNode:
    """A page as a notebook; what Python prints is left to the cells."""
    notebook = jupytext.reads(PYTHON + (DOCS / f"{page}.md").read_text(), fmt="md")
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("```text\n"):
            cell.source = cell.source.partition("\n```")[2].strip()
    notebook.cells = [cell for cell in notebook.cells if cell.source]
    return notebook


def main(output: Path, *pages: str) -> None:
    for page in pages or PAGES:
        folder = output / page  # what its cells write stays with it, until the next time
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("attention.png", "class_map.png"):
            (folder / name).write_bytes((DOCS / name).read_bytes())
        notebook = notebook_of(page)
        client = NotebookClient(notebook, kernel_name="python3", timeout=1800)
        client.execute(cwd=str(folder))
        nbformat.write(notebook, folder / f"{page}.ipynb")
        print(folder / f"{page}.ipynb", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
