// SPDX-License-Identifier: Apache-2.0
//
// What the timeline (page.js) is made of and needs no picture for: lanes from their JSON, intervals,
// numbers as text, the colours of the style.

export function decode(lane) {
  const count = lane.points.length / 3;
  const at = new Uint32Array(count);
  const events = new Uint32Array(count);
  const surprise = new Float32Array(count);
  let bucket = 0;
  for (let i = 0; i < count; ++i) {
    bucket += lane.points[3 * i];
    at[i] = bucket;
    events[i] = lane.points[3 * i + 1];
    surprise[i] = lane.points[3 * i + 2] / 10;
  }
  return { name: lane.name, at, events, surprise, shown: true };
}

// Which values have none beside them: a line shows the others, and thousands of dots take a browser long.
export function alone(u, series) {
  const values = u.data[series];
  const out = [];
  for (let i = 0; i < values.length; ++i) {
    if (values[i] != null && (values[i + 1] == null || values[i - 1] == null)) out.push(i);
  }
  return out;
}

// The first place of a sorted list with at least that value.
export function first(list, value) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Intervals that overlap are one.
export function joined(intervals) {
  const out = [];
  for (const [from, to] of [...intervals].sort((a, b) => a[0] - b[0])) {
    const last = out[out.length - 1];
    if (last && from <= last[1]) last[1] = Math.max(last[1], to);
    else out.push([from, to]);
  }
  return out;
}

export function palette() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  return {
    muted: colour("--muted"), rule: colour("--rule"), bad: colour("--bad"), band: colour("--band"), loss: colour("--loss"),
    lanes: Array.from({ length: 13 }, (_, i) => colour(`--c${i}`)),
  };
}

export function short(value) {
  if (value >= 1e6) return `${+(value / 1e6).toPrecision(3)}M`;
  if (value >= 1e3) return `${+(value / 1e3).toPrecision(3)}k`;
  return `${+value.toPrecision(3)}`;
}

export function time(seconds) {
  const rounded = +seconds.toFixed(6);
  if (rounded >= 7200) return `+${+(rounded / 3600).toFixed(4)} h`;
  return `+${rounded >= 100 ? +rounded.toFixed(3) : rounded} s`;
}
