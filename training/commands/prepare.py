"""`a2keras prepare`."""

import functools

from absl import flags

from a2keras.command_line import naming_flags, parse
from a2keras.errors import UserError


def prepare(arguments: list[str]) -> None:
    values, rest = parse(
        "a2keras prepare SOURCE --output=DIR [--short_side=288] [--quality=90] [--fps=0]",
        "Stores a SOURCE (a folder, a csv list or tfds:NAME, as --data of `train` takes it) as "
        "sharded records in which training reads in any order: videos as JPEG frames, images as "
        "they are. The same command again goes on where an interrupted one stopped, and does "
        "nothing when all is done.",
        _flags,
        arguments,
    )
    if len(rest) != 1:
        raise UserError(f"prepare takes one SOURCE. Received: {' '.join(rest) or 'none'}")
    from a2keras.training.prepare.storing import prepare as prepare_source

    with naming_flags(values):
        prepare_source(
            rest[0],
            values.output,
            short_side=values.short_side,
            quality=values.quality,
            fps=values.fps,
            task=values.task,
            root=values.root,
            fold=values.fold,
            beam_pipeline_options=values.beam_pipeline_options,
        )


def _flags(values: flags.FlagValues) -> None:
    text = functools.partial(flags.DEFINE_string, flag_values=values)
    whole = functools.partial(flags.DEFINE_integer, flag_values=values)
    help_output = (
        "Folder of the prepared data set, which --data=prepared:DIR reads; also of a cloud store. "
        "Until all is done, the records are in DIR.incomplete."
    )
    text("output", None, help_output, required=True)
    help_side = (
        "Reduce longer short sides to this many pixels; 0: keep them. "
        "Default: 288 for videos, 0 for images."
    )
    whole("short_side", None, help_side, lower_bound=0)
    whole("quality", 90, "Of the JPEGs that are made, 1 to 100.")
    help_fps = "Bring videos to this many frames a second; 0: keep theirs."
    flags.DEFINE_float("fps", 0.0, help_fps, flag_values=values)
    tasks = ["auto", "image", "video"]
    flags.DEFINE_enum(
        "task", "auto", tasks, "What to take, where there is both.", flag_values=values
    )
    text("root", "", "csv: where the files lie, if not beside the list; tfds: TFDS's data_dir.")
    help_fold = "Of a folder with UCF-101's lists: which official split, 1 to 3."
    whole("fold", 1, help_fold, lower_bound=1)
    help_beam = (
        "key=value,… for Apache Beam, such as runner=FlinkRunner,flink_master=…; "
        "default: all cores of this machine."
    )
    text("beam_pipeline_options", "", help_beam)
