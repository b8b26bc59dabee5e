"""Who may be told of a run: what can be refused before Keras is loaded."""

import importlib.util

from a2keras.errors import UserError

TRACKERS = ("mlflow", "wandb")


def check_track(track: str | None) -> None:
    """Refuses a tracker that there is not, or that is not installed."""
    if track is None:
        return
    if track not in TRACKERS:
        raise UserError(f"`track` must be {' or '.join(TRACKERS)}. Received: `track={track}`")
    found = importlib.util.find_spec(track)
    if found is None or found.origin is None:  # a folder of its name, as wandb leaves one, is none
        raise UserError(f"`track={track}` needs {track}: pip install 'a2keras[track]'")
