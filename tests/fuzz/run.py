"""`make fuzz`: thousands of damaged and hostile files for every reader of foreign files.

    tests/fuzz/run.py --inputs=10000                     all readers
    tests/fuzz/run.py --reader=tflite --only=1234        one input again, with its traceback
    tests/fuzz/run.py --inputs=10000 --markdown          the table of docs/robustness.md

The exit code is 1 where an input ended in a traceback, a crash, a hang or took too much memory.
"""

import argparse
import json
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

from harness import GOOD, OUTCOMES, Report, fuzz
from reader import Reader
from readers import READERS
from worker import prepared, replaced

PAGE = Path(__file__).parents[2] / "docs" / "robustness.md"
KEPT = Path(__file__).parents[2] / ".cache" / "fuzz"  # git leaves it alone
BEGIN, END = "<!-- figures -->\n", "<!-- /figures -->\n"


def main() -> int:
    options = parsed()
    chosen = [READERS[name] for name in options.reader or READERS]
    with tempfile.TemporaryDirectory(prefix="a2keras_fuzz_") as scratch:
        if options.only is not None:
            return again(chosen[0], options.only, Path(scratch), Path(options.keep).absolute())
        first = options.first
        count = {each: each.quick if options.quick else options.inputs for each in chosen}
        reports = fuzz(
            chosen,
            lambda reader: list(range(first, first + count[reader])),
            Path(scratch),
            options.seconds,
            options.processes,
            options.python or [sys.executable],
            told=bar(sum(count.values())),
        )
    documents = [report.document() for report in reports]
    print(table(documents))
    print(failures(documents), end="")
    if options.output:
        Path(options.output).write_text(json.dumps(documents, indent=2) + "\n")
    if options.markdown:
        text = PAGE.read_text()
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}{markdown(documents)}{END}{after}")
    return int(
        any(report.counts.total() > sum(report.counts[good] for good in GOOD) for report in reports)
    )


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reader", action="append", choices=list(READERS), help="default: all")
    parser.add_argument("--inputs", type=int, default=1000, help="of each reader")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--quick", action="store_true", help="as few as the tests have")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="of each reader, at most"
    )
    parser.add_argument("--only", type=int, help="one input of one --reader, with its traceback")
    parser.add_argument("--keep", default=KEPT, help="folder for the file of --only")
    parser.add_argument("--processes", type=int, default=2)
    help_python = "of other environments: a reader takes the first that has what it needs"
    parser.add_argument("--python", action="append", help=help_python)
    parser.add_argument("--output", help="a JSON file for the figures")
    parser.add_argument("--markdown", action="store_true", help=f"write them into {PAGE.name}")
    options = parser.parse_args()
    if options.only is not None and len(options.reader or ()) != 1:
        parser.error("--only is for one --reader")
    return options


def again(reader: Reader, number: int, scratch: Path, keep: Path) -> int:
    """One input, in this process; its file is written into the folder `keep`."""
    sound, _ = prepared(reader, scratch / "seeds")
    path, content = reader.input(number, sound)
    kept = keep / f"{reader.name}_{number}_{path.name}"
    keep.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(content)
    print(f"{len(content)} bytes in place of {path.relative_to(scratch / 'seeds')}: {kept}")
    with replaced(path, content):
        try:
            reader.read(path)
        except BaseException as error:
            traceback.print_exc()
            clean = {each.__name__ for each in type(error).__mro__} & set(reader.clean)
            print("clean" if clean else "a traceback")
            return int(not clean)
    print("accepted")
    return 0


def bar(total: int) -> Callable[[Report], None]:
    from tqdm import tqdm

    shown = tqdm(total=total, unit=" inputs", dynamic_ncols=True, disable=None, leave=False)

    def told(report: Report) -> None:
        shown.set_description(report.reader.name, refresh=False)
        shown.update()

    return told


def table(documents: list[dict]) -> str:
    lines = [
        f"{'reader':<22}{'inputs':>8}" + "".join(f"{each:>15}" for each in OUTCOMES) + f"{'s':>9}"
    ]
    for each in documents:
        counts = "".join(f"{each[outcome]:>15}" for outcome in OUTCOMES)
        lines.append(f"{each['reader']:<22}{each['inputs']:>8}{counts}{each['seconds']:>9}  "
                     f"{each.get('skipped', '')}".rstrip())  # fmt: skip
    return "\n".join(lines)


def failures(documents: list[dict]) -> str:
    return "".join(
        f"{each['reader']} --only={group['only']}: {group['count']} × {group['outcome']} "
        f"{group['error']!r} at {group['place']}\n"
        for each in documents
        for group in each["failures"]
    )


def markdown(documents: list[dict]) -> str:
    bad = [outcome for outcome in OUTCOMES if outcome not in GOOD]
    lines = [
        f"| reader | inputs | {' | '.join((*GOOD, *bad))} |",
        "|---|" + "---:|" * (3 + len(bad)),
    ]
    for each in documents:
        cells = [each["reader"], each["inputs"], *(each[outcome] for outcome in (*GOOD, *bad))]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
