"""A headless Chromium, driven over its DevTools protocol through a pipe (file descriptors 3 and 4).

`Page` acts as a visitor does: it clicks where the mouse would, types what the keyboard would, and waits for
what should appear. It remembers every script error, console error and failed request. The element with
data-test="x" is `@x` in every selector.
"""

import base64
import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

WAIT_S = 10.0
BINARIES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_browser():
    """The path of a Chromium (CHROMIUM_BIN first), or None."""
    return os.environ.get("CHROMIUM_BIN") or next(filter(None, map(shutil.which, BINARIES)), None)


class Browser:
    """One browser process with a profile of its own; more `flags` for it. Not for use by several threads."""

    def __init__(self, log_dir, *flags):
        self.profile = tempfile.mkdtemp(prefix="degu-e2e-chromium-")
        to_child, self._out = os.pipe()
        self._in, from_child = os.pipe()
        # Out of the way of 3 and 4, which the child's ends become.
        ends = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (to_child, from_child)]

        def wire():
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        # --no-sandbox: root in a container has none, and the only pages opened are our own.
        command = [find_browser(), "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
                   "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
                   "--disable-component-update", "--disable-sync", "--disable-extensions", "--mute-audio",
                   "--window-size=1280,900", f"--user-data-dir={self.profile}", *flags, "about:blank"]
        with open(Path(log_dir) / "chromium.log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            close_fds=False, preexec_fn=wire)
        for fd in (to_child, from_child, *ends):
            os.close(fd)
        self._answers, self._changed, self._next, self._pages = {}, threading.Condition(), 0, {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        rest = b""
        while chunk := os.read(self._in, 1 << 20):
            *messages, rest = (rest + chunk).split(b"\0")
            for message in map(json.loads, messages):
                with self._changed:
                    if "id" in message:
                        self._answers[message["id"]] = message
                        self._changed.notify_all()
                        continue
                page = self._pages.get(message.get("sessionId"))
                if page:
                    page.on_event(message["method"], message.get("params", {}))

    def send(self, method, params=None, session=None, wait_s=20.0):
        """One protocol call; returns its result."""
        self._next += 1
        number, message = self._next, {"id": self._next, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        with self._changed:
            if not self._changed.wait_for(lambda: number in self._answers, wait_s):
                raise AssertionError(f"the browser does not answer {method}")
            answer = self._answers.pop(number)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def new_page(self, base_url):
        """A page without cookies and storage of the others."""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", {"url": "about:blank", "browserContextId": context})["targetId"]
        session = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        page = self._pages[session] = Page(self, session, base_url)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.send(domain + ".enable")
        return page

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


class Page:
    def __init__(self, browser, session, base_url):
        self.browser, self.session, self.base_url = browser, session, base_url
        self.errors = []  # script errors, console.error, log entries that are not answers
        self.failed = []  # (status, URL) of every answer of 400 and above
        self.foreign = []  # URLs asked of other hosts
        self.under_way = set()  # requests without an end yet
        self.handshakes = []  # statuses of WebSockets: 101 over HTTP/1.1, 200 over HTTP/2

    def send(self, method, params=None):
        return self.browser.send(method, params, self.session)

    def on_event(self, method, params):
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert"):
            words = (str(a.get("value", a.get("description"))) for a in params["args"])
            self.errors.append("console: " + " ".join(words))
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            entry = params["entry"]
            if "Failed to load resource: the server responded with" not in entry["text"]:  # is in `failed`
                self.errors.append(f"log: {entry['text']} {entry.get('url', '')}")
        elif method == "Network.responseReceived" and params["response"]["status"] >= 400:
            self.failed.append((params["response"]["status"], params["response"]["url"]))
        elif method == "Network.requestWillBeSent":
            self.under_way.add(params["requestId"])
            url = params["request"]["url"]
            if not url.startswith((self.base_url, "data:", "blob:", "about:")):
                self.foreign.append(url)
        elif method == "Network.webSocketHandshakeResponseReceived":
            self.handshakes.append(params["response"]["status"])
        elif method == "Page.frameNavigated":
            self.under_way.clear()  # those of the page before need not end
        elif method in ("Network.loadingFinished", "Network.loadingFailed"):
            self.under_way.discard(params["requestId"])

    def settle(self):
        """Waits, 2 s at most, until no request is under way and all is drawn: a robot is quicker than a redraw."""
        end = time.monotonic() + 2
        while time.monotonic() < end:
            self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
            if not self.under_way:
                return
            time.sleep(0.01)

    def evaluate(self, script):
        """The value of a JavaScript expression; promises are awaited."""
        result = self.send("Runtime.evaluate", {"expression": script, "awaitPromise": True, "returnByValue": True})
        if "exceptionDetails" in result:
            raise AssertionError(f"{script}: {result['exceptionDetails']}")
        return result["result"].get("value")

    @staticmethod
    def css(selector):
        return re.sub(r"@([\w.-]+)", r'[data-test="\1"]', selector)

    def query(self, selector, what):
        """`what` of the first element (el) that the selector finds; null when there is none."""
        found = f"document.querySelector({json.dumps(self.css(selector))})"
        return self.evaluate(f"(el => el === null ? null : ({what}))({found})")

    def open(self, path):
        self.send("Page.navigate", {"url": self.base_url + path})
        self.until("document.readyState === 'complete'", f"{path} has loaded")

    def until(self, script, what, limit_s=WAIT_S):
        """Waits for a true value of the expression and returns it."""
        end = time.monotonic() + limit_s
        while True:
            try:
                value = self.evaluate(script)
            except AssertionError:  # the page is being replaced
                value = None
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"after {limit_s} s still not: {what}\npage: {self.text()[:500]}")
            time.sleep(0.03)

    def see(self, selector, text=None, limit_s=WAIT_S):
        """Waits until the element is there, shown, and contains the text."""
        script = (f"[...document.querySelectorAll({json.dumps(self.css(selector))})].some(el => el.checkVisibility() &&"
                  f" el.textContent.includes({json.dumps(text or '')}))")
        self.until(script, f"{selector} shown" + (f" with {text!r}" if text else ""), limit_s)

    def text(self, selector="body"):
        return self.query(selector, "el.innerText") or ""

    def count(self, selector):
        return self.evaluate(f"document.querySelectorAll({json.dumps(self.css(selector))}).length")

    def click(self, selector):
        """Clicks the middle of the first such element; nothing else may lie over it."""
        self.see(selector)
        self.settle()
        middle = """(el.scrollIntoView({block: "center", behavior: "instant"}), (r => {
          const x = r.x + r.width / 2, y = r.y + r.height / 2, top = document.elementFromPoint(x, y);
          const hit = el.contains(top) || el.closest("label")?.contains(top) || false;
          return {x, y, hit, top: top?.outerHTML.slice(0, 120)};
        })(el.getBoundingClientRect()))"""
        end = time.monotonic() + 3
        while not (at := self.query(selector, middle)) or not at["hit"]:
            if time.monotonic() > end:
                raise AssertionError(f"{selector} cannot be clicked: {at and at['top']} lies over it")
            time.sleep(0.05)
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", {
                "type": kind, "x": at["x"], "y": at["y"], "button": "left", "clickCount": 1})

    def type(self, selector, text):
        """Replaces what stands in the field."""
        self.click(selector)
        self.query(selector, "el.select()")
        self.send("Input.insertText", {"text": text})

    def press(self, key, code):
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", {
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code,
                **({"text": "\r"} if key == "Enter" and kind == "keyDown" else {})})

    def resize(self, width, height, mobile=False):
        self.send("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile})

    def screenshot(self, path):
        image = self.send("Page.captureScreenshot", {"format": "png"})["data"]
        Path(path).write_bytes(base64.b64decode(image))
