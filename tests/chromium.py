"""A headless Chromium, driven over pipes by the DevTools protocol: no package, no port."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe"),
)
PATIENCE = 60  # seconds that an answer may take


def find_chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Page:
    """A tab. errors: what it said on its console of errors and warnings, and exceptions."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._out, self._in = to_browser, from_browser
        self._buffer, self._last, self._session = b"", 0, ""
        self.errors: list[str] = []
        self._seen: list[str] = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._ask(f"{domain}.enable")

    def open(self, file: Path) -> None:
        """Open a file and wait until all of it is there."""
        self._seen.clear()
        self._ask("Page.navigate", url=file.resolve().as_uri())
        while "Page.loadEventFired" not in self._seen:
            self._read()

    def look(self, width: int, scheme: str = "light", height: int = 900) -> None:
        """Make the window this wide, in a light or a dark room."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._ask("Emulation.setDeviceMetricsOverride", **size)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._ask("Emulation.setEmulatedMedia", features=[feature])

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression, after its promise where it is one."""
        given = {"expression": script, "returnByValue": True, "awaitPromise": True}
        found = self._ask("Runtime.evaluate", **given)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last += 1
        question = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            question["sessionId"] = self._session
        os.write(self._out, json.dumps(question).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def _read(self) -> dict[str, Any]:
        """The next message; what happened in the page is kept."""
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            assert time.monotonic() < until, "Chromium does not answer"
            part = os.read(self._in, 1 << 16)
            assert part, "Chromium has ended"
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        name, given = message.get("method", ""), message.get("params", {})
        self._seen.append(name)
        if name == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(given["exceptionDetails"]))
        elif name == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning"):
            self.errors.append(json.dumps(given["args"]))
        elif name == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
            self.errors.append(given["entry"]["text"])
        elif name == "Network.requestWillBeSent":
            url = given["request"]["url"]
            if not url.startswith(("data:", "file:", "about:")):
                self.errors.append(f"the page asks the network for {url}")
        return message


@contextmanager
def chromium() -> Iterator[Page]:
    """`with chromium() as page`: a browser of its own, gone afterwards."""
    browser = find_chromium()
    assert browser is not None
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # It reads from 3 and writes to 4; the shell puts the pipes there.
        script = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        command = ["bash", "-c", script, "bash", browser, *FLAGS, f"--user-data-dir={profile}"]
        with subprocess.Popen(
            command,
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            os.close(theirs_in)
            os.close(theirs_out)
            try:
                yield Page(ours_out, ours_in)
            finally:
                process.terminate()
                process.wait(PATIENCE)
                os.close(ours_out)
                os.close(ours_in)
