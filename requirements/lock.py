"""`make lock`: lists beside every pinned version the SHA-256 of each file that is published of it.

The versions stay as they are. A hash that is listed already stays, too, as long as its version
does: pip also takes files that no index lists, such as a local build of PyTorch.
"""

import re
import subprocess
import sys
from pathlib import Path

FILES = ("lock.txt", "oldest.txt", "torch.txt")
PIN = re.compile(r"^([\w.-]+)==([^\s\\]+)((?:[\s\\]+--hash=\S+)*)", re.M)


def pins(text: str) -> dict[tuple[str, str], set[str]]:
    """{(normalised name, version): hashes} of a requirements file."""
    return {
        (re.sub(r"[-_.]+", "-", name).lower(), version): set(re.findall(r"--hash=(\S+)", hashes))
        for name, version, hashes in PIN.findall(text)
    }


def with_hashes(text: str, published: dict[tuple[str, str], set[str]]) -> str:
    """The requirements file with these hashes and with those that it has."""

    def line(match: re.Match) -> str:
        ((pin, own),) = pins(match[0]).items()
        hashes = [f"--hash={each}" for each in sorted(own | published[pin])]
        return " \\\n    ".join([f"{match[1]}=={match[2]}", *hashes])

    return PIN.sub(line, text)


def main() -> None:
    for name in FILES:
        path = Path(__file__).with_name(name)
        command = f"uv pip compile -q --no-config --no-deps --generate-hashes --no-header {path}"
        done = subprocess.run(
            [sys.executable, "-m", *command.split()], check=True, capture_output=True, text=True
        )
        path.write_text(with_hashes(path.read_text(), pins(done.stdout)))


if __name__ == "__main__":
    main()
