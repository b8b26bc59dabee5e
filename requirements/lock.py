"""`make lock`: lists beside every pinned version the SHA-256 of each file that is published of it.

The versions stay as they are. A hash that is listed already stays, too, as long as its version
does: that is how files get here that PyPI has not, the CPU builds of PyTorch (`pip hash`).
"""

import re
import subprocess
import sys
from pathlib import Path

FILES = ("lock.txt", "oldest.txt", "torch.txt", "cuda.txt", "release.txt", "site.txt")
PIN = re.compile(r"^([\w.-]+)==([^\s\\;]+)( ;[^\\\n]*[^\\\s])?((?:[\s\\]+--hash=\S+)*)", re.M)

Pins = dict[tuple[str, str], set[str]]  # {(normalised name, version): hashes}


def pins(text: str) -> Pins:
    """What a requirements file pins."""
    return {
        (re.sub(r"[-_.]+", "-", name).lower(), version): set(re.findall(r"--hash=(\S+)", hashes))
        for name, version, _, hashes in PIN.findall(text)
    }


def published(wanted: Pins) -> Pins:
    """The same pins with the hashes of what PyPI has; local versions it has not."""
    lines = [f"{name}=={version}\n" for name, version in wanted if "+" not in version]
    command = "uv pip compile -q --no-config --no-deps --generate-hashes --no-header -"
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        input="".join(lines),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return pins(done.stdout)


def with_hashes(text: str, found: Pins) -> str:
    """The requirements file with these hashes and with those that it has."""

    def line(match: re.Match) -> str:
        ((pin, own),) = pins(match[0]).items()
        hashes = [f"--hash={each}" for each in sorted(own | found.get(pin, set()))]
        return " \\\n    ".join([f"{match[1]}=={match[2]}{match[3] or ''}", *hashes])

    return PIN.sub(line, text)


def main() -> None:
    for name in FILES:
        path = Path(__file__).with_name(name)
        text = path.read_text()
        path.write_text(with_hashes(text, published(pins(text))))


if __name__ == "__main__":
    main()
