"""How docstrings are read for the reference: "Call arguments" are arguments, too, as in Keras."""

from typing import Any

import griffe


class CallArguments(griffe.Extension):
    """Makes a section of parameters of what stands under "Call arguments:"."""

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        if cls.docstring:
            text = cls.docstring.value
            cls.docstring.value = text.replace(
                "Call arguments:", "Other Parameters: Call arguments"
            )
