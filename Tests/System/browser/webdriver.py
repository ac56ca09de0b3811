"""A headless Chromium driven over the W3C WebDriver protocol, with nothing but the standard library.

Needs the Debian packages chromium and chromium-driver.
"""

import base64
import contextlib
import json
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
TAB = "\ue004"
ENTER = "\ue007"
SHIFT = "\ue008"
ESCAPE = "\ue00c"


class Failure(Exception):
    """An answer of the driver that is no success."""


class Browser:
    """One browser with a fresh profile; a context manager that leaves nothing behind."""

    def __init__(self, width=1100, height=900, dark=False, phone=False):
        self.width, self.height, self.dark, self.phone = width, height, dark, phone

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            port = free_port()
            self.driver = subprocess.Popen(
                ["chromedriver", f"--port={port}", "--silent"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(self.stop_driver)
            self.base = f"http://127.0.0.1:{port}"
            wait_until(lambda: self.driver_ready(), "the driver to be ready", seconds=30)
            session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": self.capabilities(profile)}})
            self.base += f"/session/{session['sessionId']}"
            stack.callback(self.call, "DELETE", "")
            self.call("POST", "/timeouts", {"script": 30000, "pageLoad": 30000})
            self.emulate()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def capabilities(self, profile):
        arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
            f"--user-data-dir={profile}",
            f"--window-size={self.width},{self.height}",
        ]
        return {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }

    def emulate(self):
        if self.phone:
            metrics = {"width": self.width, "height": self.height, "deviceScaleFactor": 2, "mobile": True}
            self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            self.devtools("Emulation.setTouchEmulationEnabled", {"enabled": True})
        scheme = {"name": "prefers-color-scheme", "value": "dark" if self.dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", {"features": [scheme]})

    def stop_driver(self):
        self.driver.terminate()
        try:
            self.driver.wait(10)
        except subprocess.TimeoutExpired:
            self.driver.kill()
            self.driver.wait()

    def driver_ready(self):
        try:
            return self.call("GET", "/status")["ready"]
        except OSError:
            return False

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.base + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            raise Failure(json.load(error)["value"]["message"]) from None

    def devtools(self, command, parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def reload(self):
        self.call("POST", "/refresh", {})

    def script(self, source, *arguments):
        """The value of a function body run in the page."""
        return self.call("POST", "/execute/sync", {"script": source, "args": list(arguments)})

    def script_async(self, source, *arguments):
        """The value of an async function body run in the page."""
        wrapped = (
            "const done = arguments[arguments.length - 1];"
            f"(async (...args) => {{ {source} }})(...Array.from(arguments).slice(0, -1))"
            ".then((value) => done({ value }), (error) => done({ error: String(error?.stack ?? error) }));"
        )
        result = self.call("POST", "/execute/async", {"script": wrapped, "args": list(arguments)})
        if "error" in result:
            raise Failure(result["error"])
        return result.get("value")

    def find(self, css):
        return self.call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        """Clicks the first element that matches, also where the page replaces it at that moment."""

        def is_clicked():
            try:
                self.call("POST", f"/element/{self.find(css)}/click", {})
            except Failure as failure:
                if "stale element" not in str(failure):
                    raise
                return False
            return True

        wait_until(is_clicked, f"{css} to stay")

    def type(self, css, text):
        self.call("POST", f"/element/{self.find(css)}/value", {"text": text})

    def keys(self, text):
        """Types into whatever has the focus."""
        strokes = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]})

    def window(self):
        return self.call("GET", "/window")

    def windows(self):
        return self.call("GET", "/window/handles")

    def switch(self, window):
        self.call("POST", "/window", {"handle": window})

    def close_window(self):
        self.call("DELETE", "/window")

    def text(self, css):
        """What is written in the last element that matches; empty where none does."""
        return self.script("return [...document.querySelectorAll(arguments[0])].at(-1)?.innerText ?? '';", css)

    def count(self, css):
        return self.script("return document.querySelectorAll(arguments[0]).length;", css)

    def console_errors(self):
        """Errors the page wrote or caused since the last call, such as breaches of the content security policy."""
        entries = self.call("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("GET", "/screenshot")))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_until(condition, what, seconds=20):
    """Polls until `condition()` is true, and returns its value; an AssertionError names what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
