"""Which of the folders below a folder are splits, and which are classes."""

from typing import NamedTuple

from a2keras.errors import UserError, counted, printable
from a2keras.models.preprocessing.scanning import Tree, joined
from a2keras.training.data.split_names import SPLITS, is_filler, split_of

EXPECTED = "a folder of splits has train and test, and in each of them one folder per class"


class SplitFolder(NamedTuple):
    """A folder by whose name it may be a split; `rest` is what else the name says."""

    path: str
    split: str
    rest: str


def roots_of(tree: Tree, place: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Where the class folders lie.

    Folders are splits where their names say so (see `split_of`), they are of at least two splits,
    and at least one of them has folders in it. One folder that has all in it is gone into.

    Args:
        tree: all that lies there.
        place: what a message calls it.

    Returns:
        for every split the folder, in the order of `SPLITS`, of the classes in it, or the one for
        "" where there are none; and what a user is to know.

    Raises:
        UserError: two folders of one split, or folders of which it is open what they are.
    """
    top = _inner(tree, "")
    full = [folder for folder in tree.folders.get(top, []) if tree.below(folder)]
    named = [_split_folder(folder) for folder in tree.folders.get(top, [])]
    candidates = [each for each in named if each]
    chosen = _splits_among(candidates, place)
    if not chosen:
        return _alone(tree, top, candidates, full, place)
    beside = [folder for folder in full if folder not in {each.path for each in chosen}]
    if not any(_has_folders(tree, each.path) for each in chosen):
        if beside:  # classes that are called train and test, among others
            return {"": top}, ()  # without folders in them, so that they are no splits
        raise UserError(_without_classes(tree, place, chosen[0].path))
    _refuse_two(chosen, place)
    roots = {each.split: _doubled(tree, each) for each in chosen}
    roots = {split: roots[split] for split in SPLITS if split in roots}
    if "train" in roots and not _has_folders(tree, roots["train"]):
        raise UserError(_without_classes(tree, place, roots["train"]))
    return roots, _beside(tree, roots, beside, place)


def _split_folder(path: str) -> SplitFolder | None:
    found = split_of(path.rpartition("/")[2])
    return SplitFolder(path, *found) if found else None


def _has_folders(tree: Tree, folder: str) -> bool:
    return any(tree.below(child) for child in tree.folders.get(folder, []))


def _inner(tree: Tree, top: str) -> str:
    """Goes into folders that are alone, such as an archive makes, up to where there is a choice."""
    while not tree.media.get(top) and len(tree.folders.get(top, [])) == 1:
        (only,) = tree.folders[top]
        children = [child for child in tree.folders.get(only, []) if tree.below(child)]
        if tree.media.get(only) or not children or _split_folder(only):
            break
        if len(children) == 1 and not _split_folder(children[0]):
            break
        top = only
    return top


def _splits_among(candidates: list[SplitFolder], place: str) -> list[SplitFolder]:
    """The folders that are splits by their names alone: of several, and called alike beside it."""
    groups: dict[str, list[SplitFolder]] = {}
    for each in candidates:
        groups.setdefault(each.rest, []).append(each)
    several = [group for group in groups.values() if len({each.split for each in group}) > 1]
    if len(several) > 1:
        names = ", ".join(_last(each.path) for group in several for each in group)
        raise UserError(
            f"{printable(place)} has split folders of several data sets ({names}): {EXPECTED}"
        )
    if several:
        return several[0]
    return []


def _alone(
    tree: Tree, top: str, candidates: list[SplitFolder], full: list[str], place: str
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Where there are no two folders called alike but for the split."""
    for each in candidates:
        alike = [
            other
            for other in full
            if other != each.path and (_alike(tree, each.path, other) or _within(tree, each, other))
        ]
        if alike and _has_folders(tree, each.path):
            raise UserError(
                f"{_name(place, each.path)} looks like a split by its name, and "
                f"{_name(place, alike[0])} beside it is none, or of the same: {EXPECTED}"
            )
    if len(candidates) == len(full) == 1 and candidates[0].path == full[0]:
        (only,) = candidates
        if _has_folders(tree, only.path):
            split = "" if only.split == "train" else only.split
            return {split: _doubled(tree, only)}, ()
    _refuse_splits_within(tree, candidates, full, place)
    return {"": top}, _same_folders(tree, full)


def _refuse_splits_within(
    tree: Tree, candidates: list[SplitFolder], full: list[str], place: str
) -> None:
    """Folders that would be classes, but say by a name that they or what is in them is a split.

    Splits have folders in them. A class may be called `train`; `train_real` is hardly one.
    """
    several = len({each.split for each in candidates}) > 1
    odd = [each.path for each in candidates if (each.rest or several)]
    odd += [
        child
        for folder in full
        for child in tree.folders.get(folder, [])
        if (found := _split_folder(child)) and not found.rest
    ]
    for folder in odd:
        if _has_folders(tree, folder):
            raise UserError(
                f"{_name(place, folder)} looks like a split by its name, but it is not clear which "
                f"others belong to it: {EXPECTED}"
            )


def _alike(tree: Tree, first: str, second: str) -> bool:
    """Whether two folders have at least two folders of the same names in them."""
    names = [{_last(child) for child in tree.folders.get(each, [])} for each in (first, second)]
    return len(names[0] & names[1]) > 1 and not tree.media.get(second)


def _within(tree: Tree, split: SplitFolder, other: str) -> bool:
    """Whether a folder beside a split is called as a class in it."""
    return _last(other) in {_last(child) for child in tree.folders.get(split.path, [])}


def _same_folders(tree: Tree, full: list[str]) -> tuple[str, ...]:
    names = [{_last(child) for child in tree.folders.get(each, [])} for each in full]
    some = 1 < len(full) <= len(SPLITS) and not any(map(tree.media.get, full))
    some = some and any(not is_filler(name) for name in set.intersection(*names))
    if len(full) < 2 or not (some or all(_alike(tree, full[0], other) for other in full[1:])):
        return ()
    examples = ", ".join(map(_last, full[:3]))
    return (
        f"WARNING: {examples} have folders of the same names in them and are taken for classes; if "
        f"they are splits, {EXPECTED}",
    )


def _without_classes(tree: Tree, place: str, folder: str) -> str:
    files = tree.media.get(folder)
    such = f", only files such as {printable(files[0])}" if files else ""
    return f"{_name(place, folder)} has no class folders{such}: {EXPECTED}"


def _refuse_two(chosen: list[SplitFolder], place: str) -> None:
    folders: dict[str, str] = {}
    for each in chosen:
        if (other := folders.setdefault(each.split, each.path)) != each.path:
            raise UserError(
                f"{printable(place)} has two folders for {each.split}: {_last(other)} and "
                f"{_last(each.path)}"
            )


def _doubled(tree: Tree, split: SplitFolder) -> str:
    """The folder of the classes: `train`, or `train/train`, as some archives have it."""
    path = split.path
    while not tree.media.get(path) and len(tree.folders.get(path, [])) == 1:
        (only,) = tree.folders[path]
        found = _split_folder(only)
        if not found or found.split != split.split or not _has_folders(tree, only):
            break
        path = only
    return path


def _beside(tree: Tree, roots: dict[str, str], beside: list[str], place: str) -> tuple[str, ...]:
    """What is passed over beside the splits; classes there are refused."""
    notes = []
    for folder in beside:
        for root in roots.values():
            if _last(folder) in {_last(child) for child in tree.folders.get(root, [])}:
                raise UserError(
                    f"{_name(place, folder)} is a class folder beside the split folder "
                    f"{_last(root)}, which has it, too: {EXPECTED}"
                )
        count = counted(len(tree.below(folder)), "file")
        notes.append(f"passed over {_last(folder)} with {count}, which is none of the splits")
    return tuple(notes)


def _last(path: str) -> str:
    return printable(path.rpartition("/")[2])


def _name(place: str, path: str) -> str:
    return printable(joined(place, path))
