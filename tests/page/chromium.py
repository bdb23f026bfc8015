# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium under remote control, by the DevTools protocol over a pair of pipes.

    with Browser(program, directory) as browser:
        page = browser.open("file:///...", width=390, dark=True)
        page.value("document.title")
        page.complaints          # console messages, exceptions, requests for anything but the page
"""
import base64
import json
import os
import select
import subprocess
import time

PATIENCE = 60  # s, for one answer


class Browser:
    def __init__(self, program, directory):
        self.last = 0
        self.events = []
        to_browser, self.out = os.pipe()
        self.input, from_browser = os.pipe()
        self.buffer = b""
        words = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                 "--hide-scrollbars", "--no-first-run", "--disable-extensions", "--remote-debugging-pipe",
                 f"--user-data-dir={directory}", "about:blank"]
        # The browser reads from 3 and writes to 4, whatever ours are called.
        self.child = subprocess.Popen(
            ["bash", "-c", f'exec 3<&{to_browser} 4>&{from_browser}; exec "$@"', "-", *words],
            pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("Browser.close")
            self.child.wait(10)
        except (OSError, RuntimeError, subprocess.TimeoutExpired):
            self.child.kill()
            self.child.wait()

    def receive(self, deadline):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.input], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                return None
            got = os.read(self.input, 1 << 16)
            if not got:
                raise RuntimeError("the browser is gone")
            self.buffer += got
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.receive(deadline)
            if answer is None:
                raise RuntimeError(f"no answer to {method}")
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            if "method" in answer:
                self.events.append(answer)

    def wait_for(self, session, method):
        deadline = time.monotonic() + PATIENCE
        while not any(e.get("sessionId") == session and e["method"] == method for e in self.events):
            answer = self.receive(deadline)
            if answer is None:
                raise RuntimeError(f"{method} did not come")
            if "method" in answer:
                self.events.append(answer)

    def open(self, address, width=1280, height=900, dark=False, script=True):
        return Page(self, address, width, height, dark, script)


class Page:
    def __init__(self, browser, address, width, height, dark, script):
        self.browser, self.address, self.width = browser, address, width
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        if not script:
            self.call("Emulation.setScriptExecutionDisabled", value=True)
        self.call("Page.navigate", url=address)
        browser.wait_for(self.session, "Page.loadEventFired")
        if script:
            self.call("Runtime.evaluate", awaitPromise=True,
                      expression="new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def value(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")

    @property
    def complaints(self):
        found = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            name, said = event["method"], event["params"]
            if name in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                found.append(json.dumps(said)[:400])
            elif name == "Network.requestWillBeSent" and said["request"]["url"] != self.address:
                found.append("request: " + said["request"]["url"][:200])
        return found

    def mouse(self, kind, x, y, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def drag(self, x, y, to_x):
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, button="left", clickCount=1)
        for part in (0.3, 0.6, 1):
            self.mouse("mouseMoved", x + (to_x - x) * part, y, button="left", buttons=1)
        self.mouse("mouseReleased", to_x, y, button="left", clickCount=1)

    def screenshot(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": self.width, "height": min(size["height"], 12000), "scale": 1}
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        path.write_bytes(base64.b64decode(data))

    def pdf(self, path):
        path.write_bytes(base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"]))
