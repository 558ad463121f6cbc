// What EM climbs, at every iteration, and where the playback is.

/**
 * @param {State} state
 * @param {(at: number) => void} go
 */
function drawClimb(state, go) {
  const drawing = found("curve");
  const { iterations, objectives: values } = state.facts.history;
  const box = drawing.getBoundingClientRect();
  const [width, height] = [Math.max(box.width, 240), Math.max(box.height, 140)];
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const area = { left: 0, top: 10, right: width - 12, bottom: height - 42 };
  const [low, high] = range(values, 0.08);
  area.left = leftFor(low, high, area);
  const x = axisOf(iterations[0], Math.max(iterations[iterations.length - 1], iterations[0] + 1), area.left, area.right);
  const y = axisOf(low, high, area.bottom, area.top);
  const line = svg("path", { d: path(iterations.map((iteration, i) => [iteration, values[i]]), x, y), class: "curve total" });
  const frame = state.facts.frames[state.at];
  const [now, value] = [x.at(frame.iteration), y.at(frame.objective)];
  const marker = [
    svg("line", { x1: now, x2: now, y1: area.top, y2: area.bottom, class: "now" }),
    svg("circle", { cx: now, cy: value, r: 5, class: "now" }),
  ];
  drawing.replaceChildren(frameOf(area, x, y, "iteration", state.facts.prior === "none" ? "log-likelihood" : "log-likelihood + prior", 1), line, ...marker);
  drawing.onclick = (event) => {
    const place = event.clientX - drawing.getBoundingClientRect().left;
    const distances = state.facts.frames.map((other) => Math.abs(x.at(other.iteration) - place));
    go(distances.indexOf(Math.min(...distances)));
  };
}
