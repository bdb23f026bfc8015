#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long the timeline of a page of `iovm explain --html` takes to zoom, in a real browser.

usage: page_zoom.py PAGE.html [ROUNDS]

Drags across the chart as a hand does, a move every 16 ms, at ROUNDS places, and shows all again by a double click.
The page's own clock takes the frames while the mouse moves, the time from the mouse's release to the frame that
shows the new picture, and every task of 50 ms and more (what a browser calls long). The note is bench/page_zoom.md.
"""
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests/page"))
from chromium import Browser  # noqa: E402

WATCH = """
  window.watched = { frames: [], tasks: [], zooms: [] };
  new PerformanceObserver((list) => {
    for (const task of list.getEntries()) watched.tasks.push(task.duration);
  }).observe({ type: 'longtask' });
  let last = 0, moving = false;
  const frame = (now) => {
    if (moving && last) watched.frames.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  addEventListener('mousedown', () => { moving = true; }, true);
  addEventListener('mouseup', () => {
    moving = false;
    const released = performance.now();
    requestAnimationFrame(() => requestAnimationFrame(() => watched.zooms.push(performance.now() - released)));
  }, true);
"""


def drag(page, x, y, to_x):
    page.mouse("mouseMoved", x, y)
    page.mouse("mousePressed", x, y, button="left", clickCount=1)
    for step in range(1, 31):
        time.sleep(0.016)
        page.mouse("mouseMoved", x + (to_x - x) * step / 30, y, button="left", buttons=1)
    page.mouse("mouseReleased", to_x, y, button="left", clickCount=1)
    time.sleep(0.2)


def show_all(page, x, y):
    for count in (1, 2):
        page.mouse("mousePressed", x, y, button="left", clickCount=count)
        page.mouse("mouseReleased", x, y, button="left", clickCount=count)
    time.sleep(0.2)


def say(what, values):
    values = sorted(values) or [0]
    print(f"{what}: median {statistics.median(values):.1f} ms, 95 % {values[int(len(values) * 0.95)]:.1f}, worst {values[-1]:.1f}"
          f" ({len(values)})")


def main():
    page_file, rounds = pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, Browser(program, profile) as browser:
        page = browser.open(page_file.as_uri())
        points = page.value("JSON.parse(document.getElementById('data').textContent)"
                            ".lanes.reduce((n, l) => n + l.points.length / 3, 0)")
        left, top, width, height = page.value(
            "(() => { const r = document.querySelector('#rate .u-over').getBoundingClientRect();"
            " return [r.left, r.top, r.width, r.height]; })()")
        page.value(WATCH)
        for i in range(rounds):
            start = left + width * (0.05 + 0.5 * i / rounds)
            drag(page, start, top + height / 2, start + width * 0.4)
            show_all(page, start, top + height / 2)
        seen = page.value("watched")
        print(f"{points:.0f} points, {rounds} drags and as many double clicks")
        say("a frame while the mouse moves", seen["frames"])
        say("from release to the new picture", seen["zooms"])
        say("tasks of 50 ms and more", seen["tasks"])


if __name__ == "__main__":
    main()
