"""Chromium, driven by the WebDriver protocol."""

import base64
import io
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--window-size=1280,1000",
    # Whatever is not on this machine has no address: a page that asked for it would fail.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


class Browser:
    """Chromium by the WebDriver protocol, as far as these tests need it."""

    def __init__(self, directory: Path) -> None:
        # It picks the port: one that is found free here may be another process's by then.
        self.process = subprocess.Popen(
            ["chromedriver", "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.base = f"http://127.0.0.1:{self._port()}"
        arguments = [*FLAGS, f"--user-data-dir={directory}"]
        options = {"args": arguments, "binary": shutil.which("chromium")}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.base += f"/session/{answer['sessionId']}"

    def _port(self) -> int:
        """Where it listens, as it says as soon as it does."""
        for line in self.process.stdout:
            if found := re.search(r"started successfully on port (\d+)", line):
                return int(found[1])
        raise RuntimeError("chromedriver does not start")

    def ask(self, method: str, path: str, body: dict | None = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()[:2000]) from error

    def run(self, script: str, *arguments):
        return self.ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def type(self, selector: str, text: str) -> None:
        found = self.ask("POST", "/element", {"using": "css selector", "value": selector})
        (element,) = found.values()
        self.ask("POST", f"/element/{element}/value", {"text": text})

    def complaints(self) -> list[str]:
        """What scripts and the network have complained of since this was asked last."""
        entries = self.ask("POST", "/se/log", {"type": "browser"})
        return [each["message"] for each in entries if each["level"] == "SEVERE"]

    def command(self, name: str, parameters: dict):
        return self.ask("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def wait(self, *states: str) -> str:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if (state := self.run("return document.body.dataset.state")) in states:
                return state
            time.sleep(0.05)
        raise AssertionError(self.run("return document.body.innerText"))

    def open(self, url: str) -> None:
        self.ask("POST", "/url", {"url": url})
        self.wait("ready")

    def pick(self, file: Path) -> str:
        """Chooses a file on the page: "done" or "failed"."""
        self.run("document.body.dataset.state = 'picked'")
        self.type("#file", str(file))
        return self.wait("done", "failed")

    def classes(self) -> list[tuple[str, float]]:
        return [
            (label, float(probability))
            for label, probability in self.run(
                "return [...document.querySelectorAll('#classes li')]"
                ".map((row) => [row.dataset.label, row.dataset.probability])"
            )
        ]

    def text(self, name: str) -> str:
        return self.run("return document.getElementById(arguments[0]).innerText", name)

    def choose(self, control: str, value: object) -> None:
        script = (
            "const control = document.getElementById(arguments[0]); control.value = arguments[1];"
            "for (const kind of ['input', 'change']) control.dispatchEvent(new Event(kind));"
        )
        self.run(script, control, value)

    def picture(self) -> np.ndarray:
        """What is drawn on the page's canvas: uint8 (H, W, 3)."""
        script = "return document.getElementById('picture').toDataURL('image/png').split(',')[1]"
        return decoded(base64.b64decode(self.run(script)))

    def screenshot(self, path: Path) -> np.ndarray:
        """Keeps a picture of the whole page as PNG, and returns its pixels."""
        shot = self.command("Page.captureScreenshot", {"captureBeyondViewport": True})
        path.write_bytes(base64.b64decode(shot["data"]))
        return decoded(path.read_bytes())

    def close(self) -> None:
        try:
            self.ask("DELETE", "")
        finally:
            self.process.terminate()
            self.process.wait(10)


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}")
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()
