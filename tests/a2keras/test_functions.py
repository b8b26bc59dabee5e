"""The functions of the other rooms under the package's own name: there when they are asked for."""

import inspect
import subprocess
import sys

import pytest

import a2keras

NAMES = ("train", "evaluate", "explain", "predict", "timeline", "export", "benchmark")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_a_layer_costs_no_training_and_no_export():
    code = (
        "import sys, a2keras; a2keras.DoubleAttention; dir(a2keras)\n"
        "print([m for m in sys.modules if m.startswith(('a2keras.training', 'a2keras.export'))])"
    )
    assert run(code) == "[]"


@pytest.mark.slow
def test_the_package_of_exports_is_the_function_before_and_after_its_import():
    code = (
        "import a2keras\n"
        "before = a2keras.export\n"
        "import a2keras.export.manifest\n"
        "from a2keras.export.manifest import MANIFEST\n"
        "print(callable(before), before is a2keras.export, a2keras.export.manifest.MANIFEST)"
    )
    assert run(code) == "True True manifest.json"
    assert run("import a2keras.export as e, a2keras; print(callable(a2keras.export))") == "True"


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_signature_and_a_place_among_the_names(name):
    pytest.importorskip("tensorflow")
    function = getattr(a2keras, name)
    assert name in a2keras.__all__ and name in dir(a2keras)
    assert len(inspect.signature(function).parameters) >= 4
    own = function if name != "export" else function.__call__
    assert inspect.signature(function).return_annotation is not inspect.Signature.empty
    assert own.__name__ in (name, "__call__")


def test_errors_can_be_caught():
    from a2keras.errors import UserError
    from a2keras.training.run.interruption import Stopped

    assert (a2keras.UserError, a2keras.Stopped) == (UserError, Stopped)


def test_an_unknown_name():
    with pytest.raises(AttributeError) as error:
        a2keras.trian  # noqa: B018
    assert str(error.value) == "module 'a2keras' has no attribute 'trian'"
