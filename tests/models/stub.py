"""`make stubs`: models/__init__.pyi, by which editors and type checkers know the builders.

At run time `a2keras.models` makes a builder of a record when it is asked for; the stub has the
signature and the documentation of each. `test_stub.py` fails where the two are not equal.
"""

import inspect
import re
import textwrap
from pathlib import Path

from a2keras import models

STUB = Path(__file__).parents[2] / "models" / "__init__.pyi"
HEADER = '''"""Networks of the paper's tables as Keras builders; written by `make stubs`."""

import os
from collections.abc import Callable
from typing import Any

import keras

'''


def definition(builder) -> str:
    """A builder as a function without a body."""
    signature = str(inspect.signature(builder))
    signature = re.sub(r"\bkeras\.src\.[\w.]+\.Model\b", "keras.Model", signature)
    signature = re.sub(r"\b(typing|collections\.abc)\.", "", signature)
    summary, details = builder.__doc__.split("\n", 1)
    lines = [textwrap.fill(summary, 90), details.rstrip()]
    documentation = textwrap.indent("\n".join(lines), "    ").lstrip()
    return f'def {builder.__name__}{signature}:\n    """{documentation}\n    """\n'


def stub() -> str:
    """The text of the stub, whose layout is left to ruff."""
    builders = [models.builder(name) for name in models.list_models()]
    functions = {*models.__all__, "builder"} - {each.__name__ for each in builders}
    imports = [f"from a2keras.models.zoo import {name} as {name}" for name in sorted(functions)]
    return "\n".join([HEADER, *imports, "", *map(definition, builders)])


if __name__ == "__main__":
    STUB.write_text(stub())
