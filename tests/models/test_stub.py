"""The stub of the builders is what `make stubs` would write."""

import ast
import runpy
from pathlib import Path

from a2keras import models

TOOL = runpy.run_path(str(Path(__file__).with_name("stub.py")))


def body(text):
    """Without its imports, which ruff sorts."""
    nodes = ast.parse(text).body
    return [ast.dump(each) for each in nodes if not isinstance(each, ast.Import | ast.ImportFrom)]


def test_the_stub_is_of_these_builders():
    text = TOOL["STUB"].read_text()
    assert body(text) == body(TOOL["stub"]()), "see `make stubs`"
    named = {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    imported = {
        alias.asname
        for node in ast.parse(text).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    } - {None}
    assert named | imported == {*models.__all__, "builder"}
