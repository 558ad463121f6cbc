// The arithmetic of the iteration that is shown, with its numbers.

const ROWS_ON_A_PAGE = 10;

/**
 * One row's own computation: density, times weight, over the sum.
 * @param {State} state
 */
function rowPanel(state) {
  const { facts, row } = state;
  if (row < 0) return [html("p", { class: "hint" }, "Point at a row, or choose one in the table, to see its own computation.")];
  const frame = facts.frames[state.at];
  const values = facts.rows[row];
  const shared = sharedOut(values, frame);
  const named = values.slice(0, 6).map((value, j) => `${brief(facts.features[j])} = ${significant(value, 6)}`);
  const more = values.length > 6 ? `, and ${values.length - 6} more` : "";
  const body = shared.shares.map((share, k) =>
    html("tr", {},
      html("th", { scope: "row" }, chip(k)),
      html("td", {}, fixed(frame.weights[k])),
      html("td", {}, significant(shared.densities[k], 4)),
      html("td", {}, significant(shared.products[k], 4)),
      html("td", {}, fixed(share))));
  if (frame.noise !== null)
    body.push(html("tr", {}, html("th", { scope: "row" }, chip(-1)), html("td", {}, fixed(frame.noise.weight)), html("td", {}, "the same everywhere"),
      html("td", {}, significant(shared.background, 4)), html("td", {}, fixed(shared.background / shared.total))));
  const largest = shared.shares.indexOf(Math.max(...shared.shares));
  return [
    html("h3", {}, `Row ${facts.row_numbers[row]}`),
    html("p", {}, named.join(", ") + more),
    html("table", {},
      html("thead", {}, html("tr", {}, ...["component", "weight", "density", "weight × density", "responsibility"].map((name) => html("th", { scope: "col" }, name)))),
      html("tbody", {}, ...body)),
    html("p", {}, `The products add up to ${significant(shared.total, 4)}. For component ${largest + 1}: ` +
      `${significant(shared.products[largest], 4)} / ${significant(shared.total, 4)} = ${fixed(shared.shares[largest])}.`),
  ];
}

/** A component's number in its colour. @param {number} k */
function chip(k) {
  return html("span", { class: `chip ${componentClass(k)}` }, k < 0 ? "noise" : String(k + 1));
}

/**
 * A page of the table of responsibilities.
 * @param {State} state
 * @param {(row: number) => void} choose
 */
function responsibilityTable(state, choose) {
  const { facts, first } = state;
  const frame = facts.frames[state.at];
  const places = facts.rows.slice(first, first + ROWS_ON_A_PAGE).map((_, i) => first + i);
  const shown = facts.features.length <= 3 ? facts.features : [];
  const body = places.map((place) => {
    const button = html("button", { type: "button", "aria-pressed": String(place === state.row) }, String(facts.row_numbers[place]));
    button.addEventListener("click", () => choose(place));
    const { shares } = sharedOut(facts.rows[place], frame);
    return html("tr", place === state.row ? { class: "chosen" } : {},
      html("th", { scope: "row" }, button),
      ...shown.map((_, j) => html("td", {}, significant(facts.rows[place][j], 6))),
      ...shares.map((share, k) => html("td", {}, bar(share, k))),
      ...(frame.noise === null ? [] : [html("td", {}, bar(1 - shares.reduce((sum, share) => sum + share, 0), -1))]));
  });
  const heads = ["row", ...shown.map(brief), ...frame.means.map((_, k) => `component ${k + 1}`), ...(frame.noise === null ? [] : ["noise"])];
  return [
    html("thead", {}, html("tr", {}, ...heads.map((name) => html("th", { scope: "col" }, name)))),
    html("tbody", {}, ...body),
  ];
}

/** A responsibility as a number on a bar of its length. @param {number} share @param {number} k */
function bar(share, k) {
  const picture = svg("svg", { class: "share", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { width: 100 * share, height: 4, class: componentClass(k) }));
  return html("span", { class: "with-bar" }, fixed(share), picture);
}

/**
 * The M-step of the shown iteration for each component, for the features that are shown.
 * @param {State} state
 */
function mStep(state) {
  const { facts } = state;
  const frame = facts.frames[state.at];
  if (frame.after === null) return [html("p", {}, state.at === facts.frames.length - 1 ? facts.ended : "No M-step followed.")];
  const features = state.y === DENSITY || state.y === state.x ? [state.x] : [state.x, state.y];
  const blocks = frame.means.map((_, k) => {
    const lines = [...sizeLines(facts, frame, k), ...features.flatMap((j) => meanLines(facts, frame, k, j)), ...spreadLines(facts, frame, k, features)];
    return html("details", k < 3 ? { open: "" } : {}, html("summary", {}, chip(k), ` component ${k + 1}`), html("pre", {}, lines.join("\n")));
  });
  const leapt = html("p", { class: "hint" }, "From here the fit took a longer step than this one, where the likelihood was higher still.");
  return frame.leapt ? [...blocks, leapt] : blocks;
}

/** @param {Facts} facts @param {Frame} frame @param {number} k */
function sizeLines(facts, frame, k) {
  if (frame.after === null) return [];
  const n = significant(facts.row_weight, 6);
  const count = significant(frame.counts[k], 7);
  return [`N_${k + 1} = sum of responsibilities = ${count}`, `weight_${k + 1} = N_${k + 1} / n = ${count} / ${n} = ${fixed(frame.counts[k] / facts.row_weight)}`];
}

/** A term of a sum. @param {number} value @param {number} digits */
function signed(value, digits) {
  return `${value < 0 ? "−" : "+"} ${significant(Math.abs(value), digits)}`;
}

/** @param {Facts} facts @param {Frame} frame @param {number} k @param {number} j */
function meanLines(facts, frame, k, j) {
  if (frame.after === null) return [];
  const [before, offset] = [frame.means[k][j], frame.offsets[k][j]];
  return [
    `mean_${k + 1}[${brief(facts.features[j])}] = mean before + sum of r (x − mean before) / N_${k + 1}`,
    `  = ${significant(before, 7)} ${signed(offset, 6)} / ${significant(frame.counts[k], 7)} = ${significant(frame.after.means[k][j], 7)}`,
  ];
}

/** @param {Facts} facts @param {Frame} frame @param {number} k @param {number[]} features */
function spreadLines(facts, frame, k, features) {
  const after = frame.after;
  if (after === null || after.covariances === null) return [];
  const covariances = after.covariances;
  const [i, j] = [features[0], features[features.length - 1]];
  const pairs = features.length === 1 ? [[i, i]] : [[i, i], [j, j], [i, j]];
  return pairs.flatMap(([a, b]) => {
    const name = a === b ? `variance_${k + 1}[${brief(facts.features[a])}]` : `covariance_${k + 1}[${brief(facts.features[a])}, ${brief(facts.features[b])}]`;
    const result = significant(covariances[k][a][b], 6);
    if (!facts.by_hand || frame.scatter === null || facts.pseudo_scatter === null) return [`${name} = ${result}, from the scatter of ${facts.covariance === "full" ? "its rows" : "all components, as the model says"}`];
    const scatter = frame.scatter[k][a][b];
    const moved = (frame.offsets[k][a] * frame.offsets[k][b]) / frame.counts[k];
    const prior = facts.pseudo_rows > 0;
    const above = `${significant(scatter, 6)} ${signed(-moved, 6)}${prior ? ` ${signed(facts.pseudo_scatter[a][b], 4)}` : ""}`;
    const below = `${significant(frame.counts[k], 7)}${prior ? ` + ${significant(facts.pseudo_rows, 4)}` : ""}`;
    const added = a === b && facts.reg_covar > 0 ? ` + ${significant(facts.reg_covar, 3)}` : "";
    return [`${name} = (scatter about the mean before − what the mean moved${prior ? " + prior" : ""}) / (N_${k + 1}${prior ? " + prior's rows" : ""})`, `  = (${above}) / (${below})${added} = ${result}`];
  });
}
