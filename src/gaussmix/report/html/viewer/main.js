// Brings the page to life: what is shown follows from `state` alone.

const MILLISECONDS_A_FRAME = 450;

/** Where a story begins to be told: at its end. @param {Facts} facts @returns {State} */
function opening(facts) {
  return { facts, at: facts.frames.length - 1, x: 0, y: facts.features.length > 1 ? 1 : DENSITY, row: -1, first: 0, playing: false };
}

function main() {
  const stories = readStories();
  const state = opening(stories[0]);
  const last = () => state.facts.frames.length - 1;
  const scene = new Scene((row) => {
    if (row >= 0 && row !== state.row) choose(row);
  });
  const slider = /** @type {HTMLInputElement} */ (found("slider"));
  const play = found("play");
  let timer = 0;

  function render() {
    const { facts } = state;
    const frame = facts.frames[state.at];
    scene.draw(state);
    if (facts.history.iterations.length > 1) drawClimb(state, go);
    slider.max = String(last());
    slider.value = String(state.at);
    const words = `Iteration ${frame.iteration}, log-likelihood ${fixed(frame.log_likelihood, 6)}`;
    slider.setAttribute("aria-valuetext", words);
    found("where").textContent = words;
    play.textContent = state.playing ? "Pause" : "Play";
    found("sampling").textContent = facts.told;
    found("row-panel").replaceChildren(...rowPanel(state));
    found("responsibilities").replaceChildren(...responsibilityTable(state, choose));
    found("page").textContent = `rows ${state.first + 1} to ${Math.min(state.first + ROWS_ON_A_PAGE, facts.rows.length)} of ${facts.rows.length.toLocaleString("en")} shown`;
    found("m-step").replaceChildren(...mStep(state));
  }

  /** @param {number} at */
  function go(at) {
    state.at = Math.max(0, Math.min(last(), at));
    render();
  }

  /** @param {number} row */
  function choose(row) {
    state.row = row;
    state.first = Math.floor(row / ROWS_ON_A_PAGE) * ROWS_ON_A_PAGE;
    const chosen = document.activeElement !== null && found("responsibilities").contains(document.activeElement);
    render();
    if (chosen) /** @type {HTMLElement | null} */ (document.querySelector("#responsibilities [aria-pressed=true]"))?.focus();
  }

  function pause() {
    state.playing = false;
    window.clearInterval(timer);
    render();
  }

  function playOn() {
    if (state.playing) return pause();
    if (state.at === last()) state.at = 0;
    state.playing = true;
    timer = window.setInterval(() => (state.at < last() ? go(state.at + 1) : pause()), MILLISECONDS_A_FRAME);
    render();
  }

  /** @param {number} step */
  function turn(step) {
    const next = state.first + step * ROWS_ON_A_PAGE;
    if (next >= 0 && next < state.facts.rows.length) state.first = next;
    render();
  }

  /** @param {number} number */
  function tell(number) {
    window.clearInterval(timer);
    Object.assign(state, opening(stories[number]), { at: 0 });
    found("story").textContent = state.facts.words;
    render();
  }

  /** @param {string} id @param {() => void} act */
  function on(id, act) {
    found(id).addEventListener("click", act);
  }

  slider.addEventListener("input", () => go(Number(slider.value)));
  on("play", playOn);
  on("back", () => go(state.at - 1));
  on("forward", () => go(state.at + 1));
  on("earlier", () => turn(-1));
  on("later", () => turn(1));
  for (const axis of /** @type {("x" | "y")[]} */ (["x", "y"])) {
    const select = /** @type {HTMLSelectElement | null} */ (document.getElementById(`${axis}-feature`));
    if (select === null) continue;
    select.value = String(state[axis]);
    select.addEventListener("change", () => {
      state[axis] = Number(select.value);
      render();
    });
  }
  const chooser = /** @type {HTMLSelectElement | null} */ (document.getElementById("stories"));
  chooser?.addEventListener("change", () => tell(Number(chooser.value)));
  document.addEventListener("keydown", (event) => {
    const inField = event.target instanceof Element && event.target.closest("input, select, button, summary, a") !== null && !(event.target === slider && event.key === " ");
    /** @type {Record<string, () => void>} */
    const keys = { ArrowLeft: () => go(state.at - 1), ArrowRight: () => go(state.at + 1), Home: () => go(0), End: () => go(last()), " ": playOn };
    const act = keys[event.key];
    if (act === undefined || inField || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  new ResizeObserver(render).observe(found("drawing"));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", render);
  document.documentElement.classList.add("alive");
  render();
}

main();
