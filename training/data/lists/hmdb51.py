"""The lists of HMDB51: one for each class and split, whose numbers say what a video is for."""

from a2keras.errors import UserError
from a2keras.training.data.listing import class_name
from a2keras.training.data.lists.rows import Row, inside
from a2keras.training.data.lists.tables import Table

SPLITS = {"0": "", "1": "train", "2": "test"}  # "": it is left out


def hmdb51_rows(table: Table, label: str) -> tuple[Row, ...]:
    """The rows of a list of a class, whose videos lie in a folder of its name."""
    rows = []
    for line in table.lines:
        path, number = table.required(line, "path"), table.cell(line, "label")
        if number not in SPLITS:
            raise UserError(
                f"{table.at(line)}: a list of HMDB51 has 0, 1 (train) or 2 (test) behind each "
                f"file. Received: {line.text!r}"
            )
        if split := SPLITS[number]:
            place = inside(f"{label}/{path}", label, table.at(line))
            rows.append(Row(place, class_name(label), split=split, place=table.at(line)))
    return tuple(rows)
