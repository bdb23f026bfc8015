// SPDX-License-Identifier: Apache-2.0
//
// The timeline of the page that `iovm explain --html` writes. The page tells all without it; this
// draws what the element #data holds: for each device, and for each process at a device, its events
// and surprise, by bucket of time.
//
// Whatever is shown is summed up anew into as many cells as the chart has room for, so that the
// picture is the same at any zoom (a spike is never thinned out) and 200,000 points cost one pass.
// Names are set as text, never as markup.
import uPlot from "../../../third_party/uplot/uPlot.esm.js";
import { alone, decode, first, joined, palette, short, time } from "./parts.js";

const source = document.getElementById("data");
if (source) start(JSON.parse(source.textContent));

function start(data) {
  const section = document.getElementById("timeline");
  if (!section || data.length_ns === 0) return;
  section.hidden = false;
  const sets = { devices: data.lanes.map(decode), processes: data.streams.map(decode) };
  let lanes = sets.devices;
  const view = { from: 0, to: data.length_ns / 1e9, whole: data.length_ns / 1e9 };
  const colours = palette();
  const charts = [];
  const bands = joined(data.alerts);

  // Cells of the view: [times, one list a lane], by what is taken of a point.
  function cells(width) {
    const seconds = view.to - view.from;
    const bucket = data.bucket_ns / 1e9;
    // Cells of a few events each: thinner ones would show a comb, not a rate.
    const most = Math.min(width / 2, seconds / bucket, Math.max(within(bucket) / 4, 60));
    const count = Math.max(2, Math.floor(most));
    const step = seconds / count;
    const times = Array.from({ length: count + 1 }, (_, i) => view.from + i * step);
    const rate = lanes.map(() => new Array(count + 1).fill(0));
    const surprise = lanes.map(() => new Array(count + 1).fill(null));
    lanes.forEach((lane, l) => {
      const end = lane.at.length;
      for (let p = first(lane.at, Math.floor(view.from / bucket)); p < end; ++p) {
        const at = (lane.at[p] + 0.5) * bucket;
        if (at > view.to) break;
        const cell = Math.min(Math.floor((at - view.from) / step), count - 1);
        if (cell < 0) continue;
        rate[l][cell] += lane.events[p] / step;
        surprise[l][cell] = Math.max(surprise[l][cell] ?? 0, lane.surprise[p]);
      }
      rate[l][count] = rate[l][count - 1];
    });
    return { rate: [times, ...rate], surprise: [times, ...surprise] };
  }

  function within(bucket) {
    let sum = 0;
    for (const lane of lanes) {
      const end = first(lane.at, Math.ceil(view.to / bucket));
      for (let p = first(lane.at, Math.floor(view.from / bucket)); p < end; ++p) sum += lane.events[p];
    }
    return sum;
  }

  function draw() {
    const made = cells(section.clientWidth);
    for (const chart of charts) {
      chart.plot.setData(made[chart.name]);
    }
    section.dataset.from = view.from.toFixed(6);
    section.dataset.to = view.to.toFixed(6);
    document.getElementById("readout").textContent =
      `${time(view.from)} to ${time(view.to)} after the start`;
  }

  function zoom(from, to) {
    const least = Math.max((data.bucket_ns / 1e9) * 8, 1e-6);
    const middle = (from + to) / 2;
    const half = Math.min(Math.max(to - from, least), view.whole) / 2;
    view.from = Math.max(0, Math.min(middle - half, view.whole - 2 * half));
    view.to = Math.min(view.whole, view.from + 2 * half);
    draw();
  }

  function make(name, label, height) {
    const target = document.getElementById(name);
    if (!target) return;
    const plot = new uPlot(options(name, label, height), null, target);
    charts.push({ name, plot, height });
  }

  function options(name, label, height) {
    return {
      width: section.clientWidth,
      height,
      legend: { show: false },
      cursor: {
        y: false,
        points: { show: false },
        sync: { key: "iovm" },
        drag: { x: true, y: false, setScale: false, dist: 4 },
        bind: { dblclick: () => () => { zoom(0, view.whole); return null; } },
      },
      scales: {
        x: { time: false, range: () => [view.from, view.to] },
        y: { range: (u, min, max) => [0, Math.max((max || 0) * 1.08, name === "surprise" ? data.threshold * 1.15 : 1)] },
      },
      axes: [
        { stroke: () => colours.muted, grid: { stroke: () => colours.rule, width: 1 }, ticks: { stroke: () => colours.rule, width: 1 },
          values: (u, ticks) => ticks.map((t) => time(t)), font: "12px system-ui, sans-serif" },
        { stroke: () => colours.muted, grid: { stroke: () => colours.rule, width: 1 }, ticks: { show: false }, size: 56,
          label, labelSize: 18, labelFont: "12px system-ui, sans-serif", font: "12px system-ui, sans-serif",
          values: (u, ticks) => ticks.map(short) },
      ],
      series: [{}, ...lanes.map((lane, i) => ({
        label: lane.name,
        show: lane.shown,
        stroke: () => colours.lanes[i % colours.lanes.length],
        width: 1.25,
        spanGaps: false,
        points: { show: name === "surprise", size: 3, filter: alone, fill: () => colours.lanes[i % colours.lanes.length] },
        paths: uPlot.paths.stepped({ align: 1 }),
      }))],
      hooks: {
        drawClear: [marks],
        draw: name === "surprise" ? [threshold] : [],
        setSelect: [(u) => {
          if (u.select.width < 4) return;
          const from = u.posToVal(u.select.left, "x");
          const to = u.posToVal(u.select.left + u.select.width, "x");
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          zoom(from, to);
        }],
        setCursor: [readout],
      },
    };
  }

  // Alerts as bands, losses as lines, below the curves.
  function marks(u) {
    const { ctx, bbox } = u;
    const place = (seconds) => Math.max(bbox.left, Math.min(u.valToPos(seconds, "x", true), bbox.left + bbox.width));
    ctx.save();
    ctx.fillStyle = colours.band;
    for (const [from, to] of bands) {
      if (to / 1e9 < view.from || from / 1e9 > view.to) continue;
      const left = place(from / 1e9);
      ctx.fillRect(left - 1, bbox.top, Math.max(place(to / 1e9) - left, 2) + 1, bbox.height);
    }
    ctx.fillStyle = colours.loss;
    for (const [bucket] of data.losses) {
      const at = (bucket * data.bucket_ns) / 1e9;
      if (at < view.from || at > view.to) continue;
      ctx.fillRect(place(at) - 1, bbox.top, 2, bbox.height);
    }
    ctx.restore();
  }

  function threshold(u) {
    const { ctx, bbox } = u;
    const y = u.valToPos(data.threshold, "y", true);
    ctx.save();
    ctx.strokeStyle = colours.bad;
    ctx.setLineDash([6, 4]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  }

  // What is under the cursor, the most active devices first.
  function readout(u) {
    const i = u.cursor.idx;
    if (i == null || u.cursor.left < 0) return;
    const surprise = u.root.parentNode.id === "surprise";
    const here = lanes
      .map((lane, l) => ({ lane, value: u.data[l + 1][i] }))
      .filter((entry) => entry.value > 0 && entry.lane.shown)
      .sort((a, b) => b.value - a.value)
      .slice(0, 4)
      .map((entry) => `${entry.lane.name} ${short(entry.value)}${surprise ? " bits" : "/s"}`);
    document.getElementById("readout").textContent = [time(u.data[0][i]), ...here].join("   ");
  }

  function button(place, text, name, act) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.setAttribute("aria-label", name);
    made.addEventListener("click", act);
    place.append(made);
    return made;
  }

  // Whether lanes are of devices, or of what one process did on one.
  function sides() {
    if (sets.processes.length === 0) return;
    const place = document.createElement("span");
    place.id = "sides";
    document.getElementById("tools").append(place);
    const made = Object.keys(sets).map((side) =>
      button(place, `By ${side === "devices" ? "device" : "process"}`, `lanes by ${side}`, () => {
        lanes = sets[side];
        for (const one of made) one.setAttribute("aria-pressed", one === made[Object.keys(sets).indexOf(side)]);
        build();
      }));
    made.forEach((one, i) => one.setAttribute("aria-pressed", i === 0));
  }

  function tools() {
    const place = document.getElementById("tools");
    const span = () => view.to - view.from;
    button(place, "All", "show the whole recording", () => zoom(0, view.whole));
    button(place, "+", "zoom in", () => zoom(view.from + span() / 4, view.to - span() / 4));
    button(place, "\u2212", "zoom out", () => zoom(view.from - span() / 2, view.to + span() / 2));
    button(place, "\u2190", "earlier", () => zoom(view.from - span() / 3, view.to - span() / 3));
    button(place, "\u2192", "later", () => zoom(view.from + span() / 3, view.to + span() / 3));
    data.alerts.forEach(([from, to], i) => {
      const alert = document.getElementById(`alert-${i}`);
      if (!alert) return;
      const around = Math.max((to - from) / 1e9, (data.bucket_ns / 1e9) * 16);
      button(alert.querySelector("h3"), "in the timeline", "show this alert in the timeline", () => {
        zoom(from / 1e9 - around, to / 1e9 + around);
        section.scrollIntoView({ behavior: "smooth" });
      }).className = "show";
    });
  }

  function chooser() {
    const place = document.getElementById("lanes");
    place.replaceChildren();
    lanes.forEach((lane, i) => {
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = lane.shown;
      box.addEventListener("change", () => {
        lane.shown = box.checked;
        for (const chart of charts) chart.plot.setSeries(i + 1, { show: box.checked });
      });
      const swatch = document.createElement("i");
      swatch.className = `c${i % colours.lanes.length}`;
      const name = document.createElement("span");
      name.textContent = lane.name;
      label.append(box, swatch, name);
      place.append(label);
    });
  }

  function build() {
    for (const chart of charts) chart.plot.destroy();
    charts.length = 0;
    make("rate", "events a second", 220);
    make("surprise", "surprise, bits", 180);
    chooser();
    draw();
  }

  tools();
  sides();
  build();
  let width = section.clientWidth;
  new ResizeObserver(() => {
    if (section.clientWidth === width) return;
    width = section.clientWidth;
    for (const chart of charts) chart.plot.setSize({ width, height: chart.height });
    draw();
  }).observe(section);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    Object.assign(colours, palette());
    for (const chart of charts) chart.plot.redraw();
  });
}
