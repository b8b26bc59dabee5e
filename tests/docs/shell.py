"""What a piece of shell code calls: found by bash itself, which runs nothing else of it."""

import subprocess
from pathlib import Path

# With nothing on the PATH every program is not found, and what is not found is noted.
NOTING = """
PATH=/nowhere
command_not_found_handle() {
    printf '%s\\0' "$@" >> "$NOTED"
    printf '\\n\\0' >> "$NOTED"
}
set -eu
"""


def calls(code: str, folder: Path) -> list[list[str]]:
    """The programs that the code calls, each with its arguments, as bash has expanded them."""
    noted = folder / ".noted"
    noted.write_bytes(b"")
    done = subprocess.run(
        ["/bin/bash", "-c", NOTING + code],
        cwd=folder, env={"NOTED": str(noted), "PWD": str(folder)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [part.split("\0")[:-1] for part in noted.read_bytes().decode().split("\n\0")]
    noted.unlink()
    return [call for call in found if call]
