"""The subcommand `a2keras prepare`."""

from typing import TYPE_CHECKING

from a2keras.command_line import parse
from a2keras.errors import UserError

if TYPE_CHECKING:
    from absl import flags


def prepare(arguments: list[str]) -> None:
    def define(values: "flags.FlagValues") -> None:
        from absl import flags

        help_output = "Folder of the prepared data set, which --data=prepared:DIR reads."
        flags.DEFINE_string("output", None, help_output, required=True, flag_values=values)
        help_side = (
            "Reduce longer short sides to this many pixels; 0: keep them. "
            "Default: 288 for videos, 0 for images."
        )
        flags.DEFINE_integer("short_side", None, help_side, lower_bound=0, flag_values=values)
        flags.DEFINE_integer("quality", 90, "Of the JPEGs that are made.", flag_values=values)
        help_fps = "Bring videos to this many frames a second; 0: keep theirs."
        flags.DEFINE_float("fps", 0.0, help_fps, flag_values=values)
        kinds = ["auto", "image", "video"]
        flags.DEFINE_enum(
            "task", "auto", kinds, "What to take, where there is both.", flag_values=values
        )
        help_root = "csv: where the files lie, if not beside the list; tfds: TFDS's data_dir."
        flags.DEFINE_string("root", "", help_root, flag_values=values)
        help_fold = "Of a folder with UCF-101's lists: which official split, 1 to 3."
        flags.DEFINE_integer("fold", 1, help_fold, lower_bound=1, flag_values=values)
        help_beam = (
            "key=value,… for Apache Beam, such as runner=FlinkRunner,flink_master=…; "
            "default: all cores of this machine."
        )
        flags.DEFINE_string("beam_pipeline_options", "", help_beam, flag_values=values)

    values, rest = parse(
        "a2keras prepare SOURCE --output=DIR [--short_side=288] [--quality=90] [--fps=0]",
        "Stores folder:DIR, csv:FILE or tfds:NAME as sharded records in which training reads in "
        "any order: videos as JPEG frames, images as they are. The same command again goes on "
        "where an interrupted one stopped, and does nothing when all is done.",
        define,
        arguments,
    )
    if len(rest) != 1:
        raise UserError(f"prepare takes one SOURCE. Received: {' '.join(rest) or 'none'}")
    from a2keras.training.prepare.prepare import prepare as prepare_source

    prepare_source(
        rest[0],
        values.output,
        values.short_side,
        values.quality,
        values.fps,
        values.task,
        values.root,
        values.fold,
        values.beam_pipeline_options,
    )
