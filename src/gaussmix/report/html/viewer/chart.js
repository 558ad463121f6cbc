// Axes that every picture stands on.

/**
 * @typedef {object} Axis
 * @property {number} low
 * @property {number} high
 * @property {(value: number) => number} at in pixels
 *
 * @typedef {object} Area
 * @property {number} left
 * @property {number} top
 * @property {number} right
 * @property {number} bottom
 */

/**
 * @param {number} low
 * @param {number} high
 * @param {number} from
 * @param {number} to
 * @returns {Axis}
 */
function axisOf(low, high, from, to) {
  const span = high > low ? high - low : 1;
  return { low, high, at: (value) => from + ((value - low) / span) * (to - from) };
}

/**
 * Grid lines, their numbers and the names of the axes.
 * @param {Area} area
 * @param {Axis} x
 * @param {Axis} y
 * @param {string} xName
 * @param {string} yName
 * @param {number} [least] between ticks along x
 */
function frameOf(area, x, y, xName, yName, least = 0) {
  const group = svg("g", { class: "axes", "aria-hidden": "true" });
  const across = Math.max(2, Math.floor((area.right - area.left) / 90));
  for (const value of ticks(x.low, x.high, across, least)) {
    const place = x.at(value);
    group.append(
      svg("line", { x1: place, x2: place, y1: area.top, y2: area.bottom }),
      svg("text", { x: place, y: area.bottom + 16, "text-anchor": "middle" }, tickText(value)),
    );
  }
  for (const value of ticks(y.low, y.high, ticksDown(area))) {
    const place = y.at(value);
    group.append(
      svg("line", { x1: area.left, x2: area.right, y1: place, y2: place }),
      svg("text", { x: area.left - 6, y: place + 4, "text-anchor": "end" }, tickText(value)),
    );
  }
  const middle = (area.top + area.bottom) / 2;
  group.append(
    svg("text", { x: (area.left + area.right) / 2, y: area.bottom + 34, "text-anchor": "middle", class: "name" }, brief(xName)),
    svg("text", { x: 13, y: middle, "text-anchor": "middle", class: "name", transform: `rotate(-90 13 ${middle})` }, brief(yName)),
  );
  return group;
}

/** @param {number} value */
function tickText(value) {
  return significant(value, 8);
}

/** @param {{top: number, bottom: number}} area */
function ticksDown(area) {
  return Math.max(2, Math.floor((area.bottom - area.top) / 60));
}

/**
 * Where a picture's area begins, so that the numbers along y stand beside its name.
 * @param {number} low
 * @param {number} high
 * @param {{top: number, bottom: number}} area
 */
function leftFor(low, high, area) {
  const longest = Math.max(...ticks(low, high, ticksDown(area)).map((value) => tickText(value).length));
  return 30 + 7.2 * longest;
}

/** @param {number[][]} points @param {Axis} x @param {Axis} y */
function path(points, x, y) {
  return points.map(([a, b], i) => `${i === 0 ? "M" : "L"}${x.at(a).toFixed(1)} ${y.at(b).toFixed(1)}`).join("");
}

/** @param {number[]} values @param {number} margin share of the range */
function range(values, margin) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const wide = high - low > 1e-12 * Math.max(Math.abs(low), Math.abs(high));
  const extra = wide ? margin * (high - low) : Math.abs(low) * 0.1 || 1;
  return [low - extra, high + extra];
}
