"""`a2keras explain`."""

from absl import flags

from a2keras.command_line import define_format, naming_flags, parse
from a2keras.console import print_json, say, show
from a2keras.errors import UserError, counted, printable


def explain(arguments: list[str]) -> None:
    values, rest = parse(
        "a2keras explain RUN|model.keras|WEIGHTS [FILE|FOLDER…] --output=DIR",
        "Draws over images or the frames of videos where a network sees its classes (Grad-CAM), "
        "where its double attention blocks gather from, and which descriptor each position takes. "
        "Of a run, without FILE on examples that it held out; of a .keras file with its "
        "preprocessing.json beside it, or of published weights like i3d:kinetics400.",
        _flags,
        arguments,
    )
    if not rest:
        raise UserError("explain takes a RUN, and files. Received: none")
    from a2keras.training.interface.explain import explain as explain_run

    with naming_flags(values):
        document = explain_run(
            rest[0],
            rest[1:],
            output=values.output,
            samples=values.samples,
            deletion=values.deletion,
        )
    if values.format == "json":
        print_json(document)
        return
    for example in document["explained"]:
        picture, prediction = example["picture"], example["prediction"]
        show(f"{values.output}/{picture}: {printable(prediction)} ({example['probability']:.1%})")
    for line in document.get("deletion", {}).get("maps", []):
        show(
            f"deletion by {printable(line['method'])}: area {line['area']:.3f}, at random "
            f"{line['random_area']:.3f}; below every random order for {line['beats_random']} of "
            f"{counted(line['examples'], 'example')}"
        )
    say(f"the page with all of them is {values.output}/index.html")
    for skipped in document["skipped"]:
        say(f"left out: {skipped['reason']}")


def _flags(values: flags.FlagValues) -> None:
    help_output = (
        "Directory for the pictures, index.html, a page with all of them, and explain.json: new, "
        "empty or an earlier explanation."
    )
    flags.DEFINE_string("output", None, help_output, required=True, flag_values=values)
    help_samples = "Without FILE: how many examples that the run held out."
    flags.DEFINE_integer("samples", 4, help_samples, lower_bound=1, flag_values=values)
    help_deletion = (
        "Blank what the maps mark, step by step, and see whether the probability falls sooner "
        "than at random: some 50 views of each example for a map."
    )
    flags.DEFINE_bool("deletion", False, help_deletion, flag_values=values)
    define_format(values, text="json: print what was explained as one JSON document.")
