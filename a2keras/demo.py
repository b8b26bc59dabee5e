"""`a2keras demo`: the whole journey on real scanned digits, by the commands that a user would type.

It trains a small A²-ResNet, evaluates it, explains it in pictures, exports it, and asks the TFLite
artefact about inputs that it has never seen; then it writes one page that shows all of it. It knows
the other rooms only by their commands and by the files that these leave.
"""

import contextlib
import io
import time
from pathlib import Path
from typing import Any

from absl import flags

from a2keras.command_line import parse
from a2keras.console import say, show
from a2keras.demo_page import page
from a2keras.documents import parse_json, read_json
from a2keras.errors import UserError
from a2keras.files import write_text

TASKS = ("image", "video")


def demo(arguments: list[str]) -> None:
    values, rest = parse(
        "a2keras demo [--output=demo] [--task=both] [--set key=value]…",
        "Trains a small A²-ResNet on scanned digits (the image task: which digit; the video task: "
        "how it moves), evaluates it on digits that were not in training, draws its attention "
        "maps, exports SavedModel and TFLite, and writes index.html into --output. Needs no "
        "network. The same command again goes on with what is there.",
        _flags,
        arguments,
    )
    if rest:
        raise UserError(f"demo takes no arguments. Received: {' '.join(rest)}")
    if "://" in values.output:  # which a `Path` would make a folder of
        raise UserError(
            "--output must be a directory of this machine or mounted on it. "
            f"Received: --output={values.output}"
        )
    output = Path(values.output)
    start = time.monotonic()
    tasks = TASKS if values.task == "both" else (values.task,)
    stories = [_journey(task, output / task, values.set) for task in tasks]
    write_text(output / "index.html", page(stories, time.monotonic() - start))
    show(_table(stories))
    show(f"\nin {time.monotonic() - start:.0f} s; the page with all pictures is")
    show(str(output.absolute() / "index.html"))


def _flags(values: flags.FlagValues) -> None:
    flags.DEFINE_string("output", "demo", "directory of the runs and the page", flag_values=values)
    setting = "key=value of a recipe field, such as epochs=2; may be repeated"
    flags.DEFINE_multi_string("set", [], setting, flag_values=values)
    flags.DEFINE_enum("task", "both", ["image", "video", "both"], "what to do", flag_values=values)


def _journey(task: str, output: Path, settings: list[str]) -> dict[str, Any]:
    """Runs the commands of one task; returns what they left."""
    start = time.monotonic()
    run, pictures, export = output / "run", output / "explain", output / "export"
    commands: list[str] = []
    changes = [f"--set={setting}" for setting in settings]
    _command(commands, "train", f"--recipe=digits_{task}", f"--output={run}", *changes)
    _command(commands, "evaluate", str(run))
    _command(commands, "explain", str(run), "--samples=4", f"--output={pictures}")
    explained = read_json(pictures / "explain.json")["explained"]
    inputs = [str(pictures / each["input"]) for each in explained]
    samples = [f"--samples={each}" for each in inputs]
    _command(commands, "export", str(run), f"--output={export}", *samples)
    tflite = str(export / "model_float32.tflite")
    answer = _command(commands, "predict", tflite, *inputs, "--format=json")
    return {
        "task": task,
        "directory": task,
        "commands": commands,
        "recipe": read_json(run / "recipe.json"),
        "results": read_json(run / "results.json"),
        "evaluation": read_json(run / "evaluation.json"),
        "explained": explained,
        "manifest": read_json(export / "manifest.json"),
        "predictions": parse_json(answer)["predictions"],
        "seconds": time.monotonic() - start,
    }


def _command(commands: list[str], *arguments: str) -> str:
    """Runs a command as if it had been typed; returns what it printed on standard output."""
    from a2keras.__main__ import run

    line = " ".join(["a2keras", *arguments])
    commands.append(line)
    say(f"\n$ {line if len(line) < 160 else line[:157] + '…'}")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        run(list(arguments))
    if not any(argument == "--format=json" for argument in arguments):
        say(printed.getvalue().rstrip())
    return printed.getvalue()


def _table(stories: list[dict[str, Any]]) -> str:
    lines = [f"\n{'task':<8}{'test top-1':>11}{'artefact':>24}{'max error':>12}{'seconds':>9}"]
    for story in stories:
        top1 = f"{story['evaluation']['top1']:.1%}"
        seconds = f"{story['seconds']:.0f}"
        for name, artefact in story["manifest"]["artefacts"].items():
            error = artefact["parity"]["serving_default"]["max_error"]
            first = f"{story['task']:<8}{top1:>11}" if top1 else " " * 19
            lines.append(f"{first}{name:>24}{error:>12.1e}{seconds:>9}")
            top1 = seconds = ""
    return "\n".join(lines)
