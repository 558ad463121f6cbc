// The rows and the mixture of one iteration: points and ellipses, or curves over one feature.

/** @typedef {{facts: Facts, at: number, x: number, y: number, row: number, first: number, playing: boolean}} State */

const COVERAGE = [0.5, 0.95];
/** In place of a second feature: the density of the first. */
const DENSITY = -1;

class Scene {
  /** @param {(row: number) => void} point told which row is pointed at */
  constructor(point) {
    this.canvas = /** @type {HTMLCanvasElement} */ (/** @type {unknown} */ (found("points")));
    this.drawing = found("drawing");
    /** @type {{x: number, y: number}[]} */
    this.places = [];
    /** @type {Map<Frame, {shares: number[], label: number}[]>} */
    this.known = new Map();
    this.drawing.addEventListener("pointermove", (event) => point(this.nearest(event)));
    this.drawing.addEventListener("click", (event) => point(this.nearest(event)));
  }

  /** @param {Facts} facts @param {Frame} frame */
  shared(facts, frame) {
    const known = this.known.get(frame);
    if (known !== undefined) return known;
    const made = facts.rows.map((row) => {
      const { shares } = sharedOut(row, frame);
      const noise = 1 - shares.reduce((sum, share) => sum + share, 0);
      const label = shares.indexOf(Math.max(...shares));
      return { shares, label: frame.noise !== null && noise > shares[label] ? -1 : label };
    });
    // A few frames are enough to play back and forth.
    if (this.known.size > 8) this.known.clear();
    this.known.set(frame, made);
    return made;
  }

  /** @param {State} state */
  draw(state) {
    const box = this.drawing.getBoundingClientRect();
    const width = Math.max(box.width, 240);
    const height = Math.max(box.height, 200);
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const area = { left: 60, top: 10, right: width - 12, bottom: height - 42 };
    const frame = state.facts.frames[state.at];
    const flat = state.y === DENSITY;
    const marks = flat ? this.curves(state, frame, area) : this.plane(state, frame, area);
    this.drawing.replaceChildren(...marks);
  }

  /** @param {State} state @param {Frame} frame @param {Area} area */
  plane(state, frame, area) {
    const { rows, features } = state.facts;
    const [low, high] = bounds(rows, state.y);
    area.left = leftFor(low, high, area);
    const x = axisOf(...bounds(rows, state.x), area.left, area.right);
    const y = axisOf(low, high, area.bottom, area.top);
    this.places = rows.map((row) => ({ x: x.at(row[state.x]), y: y.at(row[state.y]) }));
    this.paint(state, frame, 2.6);
    this.name(frame.means.map((mean) => ({ x: x.at(mean[state.x]), y: y.at(mean[state.y]) })));
    const outlines = frame.means.flatMap((mean, k) => {
      const block = frame.covariances[k];
      return COVERAGE.map((share) => {
        const points = ellipse(mean[state.x], mean[state.y], block[state.x][state.x], block[state.x][state.y], block[state.y][state.y], ellipseRadius(share));
        return svg("path", { d: path(points, x, y) + "Z", class: `outline ${componentClass(k)}` });
      });
    });
    return [frameOf(area, x, y, features[state.x], features[state.y]), clipped(area, outlines)];
  }

  /** @param {State} state @param {Frame} frame @param {Area} area */
  curves(state, frame, area) {
    const { rows, features } = state.facts;
    const values = rows.map((row) => row[state.x]);
    const x = axisOf(...bounds(rows, state.x), area.left, area.right);
    const deviations = frame.covariances.map((matrix) => Math.sqrt(matrix[state.x][state.x]));
    const grid = gridOf(x, frame.means.map((mean) => mean[state.x]), deviations);
    const curves = frame.means.map((mean, k) =>
      grid.map((value) => frame.weights[k] * Math.exp(-0.5 * ((value - mean[state.x]) / deviations[k]) ** 2) / (deviations[k] * Math.sqrt(2 * Math.PI))));
    const bars = histogram(values, x);
    const total = grid.map((_, i) => curves.reduce((sum, curve) => sum + curve[i], 0));
    // A spike would press all else flat: the axis goes no higher than ten times the tallest bar.
    const tallest = Math.max(...bars.map((bar) => bar.height));
    const highest = Math.min(Math.max(tallest, ...total), 10 * tallest);
    const y = axisOf(0, 1.06 * highest, area.bottom, area.top);
    this.places = values.map((value) => ({ x: x.at(value), y: area.bottom - 8 }));
    this.paint(state, frame, 3.2);
    const blocks = bars.map((bar) =>
      svg("rect", { x: x.at(bar.from), y: y.at(bar.height), width: Math.max(x.at(bar.to) - x.at(bar.from) - 1, 0.5), height: area.bottom - y.at(bar.height), class: "bar" }));
    const lines = curves.map((curve, k) =>
      svg("path", { d: path(grid.map((value, i) => [value, curve[i]]), x, y), class: `curve ${componentClass(k)}` }));
    const sum = svg("path", { d: path(grid.map((value, i) => [value, total[i]]), x, y), class: "curve total" });
    return [clipped(area, blocks), frameOf(area, x, y, features[state.x], "density"), clipped(area, [sum, ...lines])];
  }

  /**
   * The points, which are too many to be elements.
   * @param {State} state
   * @param {Frame} frame
   * @param {number} radius
   */
  paint(state, frame, radius) {
    const box = this.drawing.getBoundingClientRect();
    const scale = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(box.width * scale);
    this.canvas.height = Math.round(box.height * scale);
    const context = this.canvas.getContext("2d");
    if (context === null) return;
    context.scale(scale, scale);
    const colours = palette(frame.means.length);
    const shared = this.shared(state.facts, frame);
    const marked = state.row;
    context.globalAlpha = this.places.length > 800 ? 0.55 : 0.8;
    this.places.forEach((place, i) => {
      context.fillStyle = blended(shared[i].shares, colours);
      context.beginPath();
      context.arc(place.x, place.y, radius, 0, 2 * Math.PI);
      context.fill();
    });
    if (marked >= 0) {
      context.globalAlpha = 1;
      context.lineWidth = 2;
      context.strokeStyle = getComputedStyle(document.body).color;
      context.beginPath();
      context.arc(this.places[marked].x, this.places[marked].y, radius + 4, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  /** Components' numbers at their means, above the points. @param {{x: number, y: number}[]} means */
  name(means) {
    const context = this.canvas.getContext("2d");
    if (context === null) return;
    const colours = palette(means.length);
    context.globalAlpha = 1;
    context.font = "bold 17px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 5;
    context.lineJoin = "round";
    context.strokeStyle = getComputedStyle(document.body).backgroundColor;
    means.forEach((mean, k) => {
      context.fillStyle = `rgb(${colours[k].join(" ")})`;
      context.strokeText(String(k + 1), mean.x, mean.y);
      context.fillText(String(k + 1), mean.x, mean.y);
    });
  }

  /** The row that a pointer is at, or -1. @param {MouseEvent} event */
  nearest(event) {
    const box = this.drawing.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let nearest = -1;
    let closest = 16 ** 2;
    this.places.forEach((place, i) => {
      const distance = (place.x - x) ** 2 + (place.y - y) ** 2;
      if (distance < closest) [nearest, closest] = [i, distance];
    });
    return nearest;
  }
}

/** @param {number[][]} rows @param {number} feature @returns {[number, number]} */
function bounds(rows, feature) {
  const [low, high] = range(rows.map((row) => row[feature]), 0.06);
  return [low, high];
}

/**
 * Where curves are drawn: everywhere, and finely about each mean however narrow.
 * @param {Axis} x
 * @param {number[]} means
 * @param {number[]} deviations
 */
function gridOf(x, means, deviations) {
  const grid = Array.from({ length: 201 }, (_, i) => x.low + ((x.high - x.low) * i) / 200);
  means.forEach((mean, k) => {
    for (let i = -24; i <= 24; ++i) grid.push(mean + (i / 6) * deviations[k]);
  });
  return grid.filter((value) => value >= x.low && value <= x.high).sort((a, b) => a - b);
}

/** @param {number[]} values @param {Axis} x */
function histogram(values, x) {
  const n = Math.max(5, Math.min(40, Math.ceil(2 * Math.cbrt(values.length))));
  const low = Math.min(...values);
  const width = (Math.max(...values) - low) / n || (x.high - x.low) / n;
  const counts = new Array(n).fill(0);
  for (const value of values) counts[Math.min(n - 1, Math.floor((value - low) / width))] += 1;
  return counts.map((count, i) => ({ from: low + i * width, to: low + (i + 1) * width, height: count / (values.length * width) }));
}

let clips = 0;

/** @param {Area} area @param {Element[]} marks */
function clipped(area, marks) {
  const id = `inside-${(clips += 1)}`;
  const clip = svg("clipPath", { id }, svg("rect", { x: area.left, y: area.top, width: area.right - area.left, height: area.bottom - area.top }));
  return svg("g", { "clip-path": `url(#${id})` }, clip, ...marks);
}

/** The components' colours, which the style sheet knows. @param {number} n @returns {number[][]} */
function palette(n) {
  const style = getComputedStyle(document.documentElement);
  const colour = (/** @type {string} */ name) => {
    const value = parseInt(style.getPropertyValue(name).trim().slice(1), 16);
    return [value >> 16, (value >> 8) & 255, value & 255];
  };
  return [...Array.from({ length: n }, (_, k) => colour(`--c${k % 7}`)), colour("--noise")];
}

/** @param {number[]} shares K @param {number[][]} colours K + 1, the noise's last */
function blended(shares, colours) {
  const left = Math.max(1 - shares.reduce((sum, share) => sum + share, 0), 0);
  const mixed = [0, 1, 2].map((channel) =>
    Math.round([...shares, left].reduce((sum, share, k) => sum + share * colours[k][channel], 0)));
  return `rgb(${mixed.join(" ")})`;
}
