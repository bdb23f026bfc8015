#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page of `iovm explain --html` in a real browser.

usage: page_test.py IOVM SOURCE_DIR OUT_DIR

It loads without a word on the console and without a request, its timeline zooms, hostile names stay
text, nothing sticks out of a narrow screen, and without script it still tells all. Screenshots of
light and dark, wide and narrow, and the printed page stay in OUT_DIR. Exit 77: no browser here.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

from chromium import Browser

MOST_BYTES = 5 * 1000 * 1000
HOSTILE = "%3C/script%3E%3Cimg%20src=x%20onerror=pwned()%3E"
HEADER = "# columns: t_ns vcpu pid comm kind dir addr size value cr3 rip count cpl\n"


class Failed(Exception):
    pass


def expect(so, what):
    if not so:
        raise Failed(what)


def run(*words, text=None):
    done = subprocess.run([str(w) for w in words], input=text, capture_output=True, text=True, check=False)
    expect(done.returncode == 0, f"{words}: {done.stderr}")
    return done.stdout


class Pages:
    """Makes the pages to look at."""

    def __init__(self, iovm, source, out):
        self.iovm, self.out = iovm, out
        self.demo = source / "tests/data/demo"
        self.model = out / "model.iovmm"
        run(iovm, "train", *sorted(self.demo.glob("normal-*.iovm")), "-o", self.model)

    def explain(self, name, trace, *words):
        page = self.out / f"{name}.html"
        run(self.iovm, "explain", trace, *words, "--html", page)
        expect(page.stat().st_size <= MOST_BYTES, f"{page.name} has {page.stat().st_size} bytes")
        return page

    def imported(self, name, events, vm="web"):
        trace = self.out / f"{name}.iovm"
        run(self.iovm, "import", "-", "--from", "events", "-o", trace, text=f"# name: {vm}\n" + HEADER + events)
        return trace

    def attack(self):
        return self.explain("attack", self.demo / "attack.iovm", "-m", self.model)

    def clean(self):
        return self.explain("clean", self.demo / "control.iovm", "-m", self.model)

    def unscored(self):
        return self.explain("unscored", self.demo / "control.iovm")

    # A guest whose names are markup, and losses.
    def hostile(self):
        lines = [f"{1000000 + i * 9000} 0 266 {HOSTILE}{i % 3} pio w 0x3f5 1 {65 + i % 9:#x} 0xf6e0000 0x401000 1 3\n"
                 for i in range(300)]
        lines.insert(150, f"{1000000 + 150 * 9000} - -1 - loss - 0x0 - 0x7 - - - -\n")
        return self.explain("hostile", self.imported("hostile", "".join(lines), "<b onclick=pwned()>"), "-m", self.model)

    # As many points as a page may have: every lane busy in every bucket.
    def large(self):
        ports = (0x1f7, 0x3f4, 0x20, 0xa0, 0x60, 0x71, 0x40, 0x3f8, 0x2f8, 0x80, 0x92, 0x177, 0xe9, 0x3c0)
        lines = [f"{10**9 + i * 1024000 + k} 0 1 init pio r {port:#x} 1 0x0 - - 1 0\n"
                 for i in range(14900) for k, port in enumerate(ports)]
        return self.explain("large", self.imported("large", "".join(lines)), "-m", self.model)


def settle(page):
    page.call("Runtime.evaluate", awaitPromise=True,
              expression="new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


def shown(page):
    settle(page)
    return [float(page.value(f"document.getElementById('timeline').dataset.{end}")) for end in ("from", "to")]


def inked(page, chart):
    """Whether the chart has any of its curves' colours: how many different colours its middle has."""
    return page.value(f"""(() => {{
      const canvas = document.querySelector('#{chart} canvas');
      const {{ width, height }} = canvas;
      const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
      const seen = new Set();
      for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
      return seen.size; }})()""")


def check_zoom(page):
    whole = shown(page)
    box = page.value("(() => { const r = document.querySelector('#rate .u-over').getBoundingClientRect();"
                     " return [r.left, r.top, r.width, r.height]; })()")
    left, top, width, height = box
    page.drag(left + width * 0.45, top + height / 2, left + width * 0.55)
    near = shown(page)
    expect(near[1] - near[0] < 0.2 * (whole[1] - whole[0]), f"dragging did not zoom: {whole} -> {near}")
    expect(abs(near[0] - 0.45 * whole[1]) < 0.03 * whole[1], f"zoomed elsewhere: {near} of {whole}")
    x, y = left + width / 2, top + height / 2
    for count in (1, 2):
        page.mouse("mousePressed", x, y, button="left", clickCount=count)
        page.mouse("mouseReleased", x, y, button="left", clickCount=count)
    expect(shown(page) == whole, "a double click does not show all again")
    page.value("document.querySelectorAll('#tools button')[1].click()")
    near = shown(page)
    expect(near[1] - near[0] < 0.6 * (whole[1] - whole[0]), "the button + does not zoom")
    page.value("document.querySelectorAll('#tools button')[0].click()")


def check_attack(browser, page_file, out):
    address = page_file.as_uri()
    for width in (1280, 390):
        for dark in (False, True):
            page = browser.open(address, width=width, dark=dark)
            if width == 1280:
                expect(inked(page, "rate") > 12, "the chart of rates is empty")
                expect(inked(page, "surprise") > 8, "the chart of surprise is empty")
            wide = page.value("document.documentElement.scrollWidth")
            expect(wide <= width, f"the page is {wide} wide on a screen of {width}")
            page.screenshot(out / f"attack-{width}-{'dark' if dark else 'light'}.png")
            expect(not page.complaints, f"complaints: {page.complaints}")
    page = browser.open(address)
    check_zoom(page)
    page.value("document.querySelector('.alert .show').click()")
    near = shown(page)
    expect(3.0 < near[0] < near[1] < 4.2, f"the alert's button shows {near}")
    page.screenshot(out / "attack-zoomed.png")
    expect(not page.complaints, f"complaints: {page.complaints}")
    page.pdf(out / "attack.pdf")
    bare = browser.open(address, script=False)
    text = bare.value("document.body.innerText")
    for words in ("floppy controller", "Normal here", "nearest normal sequence", "Raw events", "Who did it", "threshold",
                  "The steps of the attack", "https://xenbits.xen.org/xsa/advisory-133.html", "T1611 Escape to Host"):
        expect(words in text, f"without script the page does not say: {words}")
    expect(bare.value("document.querySelectorAll('a, link, img').length") == 0, "the page leads somewhere")
    bare.screenshot(out / "attack-no-script.png")


def check_sides(page):
    """From lanes of devices to lanes of processes and back; what is zoomed to stays."""
    lanes = "[...document.querySelectorAll('#lanes span')].map((s) => s.textContent)"
    page.value("document.querySelectorAll('#tools button')[1].click()")
    near, devices = shown(page), page.value(lanes)
    page.value("document.querySelectorAll('#sides button')[1].click()")
    processes = page.value(lanes)
    expect(any("(266), floppy controller" in name for name in processes), f"no lane of a process: {processes}")
    expect(shown(page) == near, "the other lanes show another time")
    expect(inked(page, "rate") > 4, "the chart of processes is empty")
    page.value("document.querySelectorAll('#sides button')[0].click()")
    expect(page.value(lanes) == devices, "the lanes of devices do not come back")
    page.value("document.querySelectorAll('#sides button')[1].click()")


def check_hostile(browser, page_file, out):
    page = browser.open(page_file.as_uri())
    expect(page.value("document.querySelectorAll('img, b[onclick]').length") == 0, "a name became markup")
    expect(page.value("document.querySelectorAll('script').length") == 2, "a name ended a script")
    expect("<img src=x onerror=pwned()>" in page.value("document.body.innerText"), "the name is not shown as it is")
    page.screenshot(out / "hostile.png")
    check_sides(page)
    page.screenshot(out / "hostile-processes.png")
    expect(page.value("document.querySelectorAll('img, b[onclick]').length") == 0, "a lane's name became markup")
    expect(not page.complaints, f"complaints: {page.complaints}")
    # The policy would stop it, too.
    page.value("document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:9/x\" onerror=\"window.pwned=1\">')")
    settle(page)
    expect(page.value("typeof window.pwned") == "undefined", "the policy lets a handler run")
    said = " ".join(page.complaints)
    expect("Content Security Policy" in said, f"the policy does not stop a request: {said}")


def check_large(browser, page_file, out):
    page = browser.open(page_file.as_uri())
    points = page.value("JSON.parse(document.getElementById('data').textContent).lanes.reduce((n, l) => n + l.points.length / 3, 0)")
    expect(190000 < points < 200000, f"{points} points")
    check_zoom(page)
    page.screenshot(out / "large.png")
    expect(not page.complaints, f"complaints: {page.complaints}")


def check_quiet(browser, page_file, out, *words):
    page = browser.open(page_file.as_uri())
    text = page.value("document.querySelector('h1').innerText")
    for word in words:
        expect(word in text, f"{page_file.name} does not say \"{word}\": {text}")
    check_zoom(page)
    page.screenshot(out / f"{page_file.stem}.png")
    expect(not page.complaints, f"complaints: {page.complaints}")


def main():
    iovm, source, out = (pathlib.Path(p).resolve() for p in sys.argv[1:4])
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        print("SKIP: no Chromium here (scripts/install-deps test)")
        return 77
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    pages = Pages(iovm, source, out)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, Browser(program, profile) as browser:
        check_attack(browser, pages.attack(), out)
        check_hostile(browser, pages.hostile(), out)
        check_quiet(browser, pages.clean(), out, "abnormal")
        check_quiet(browser, pages.unscored(), out, "without a model")
        check_large(browser, pages.large(), out)
    print(f"five pages looked at; screenshots in {out}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
