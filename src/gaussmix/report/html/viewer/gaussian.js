// Densities and responsibilities of single rows, by the same formulas as the engine's.

/** @typedef {{densities: number[], products: number[], background: number, total: number, shares: number[]}} Shared */

const LOG_2PI = Math.log(2 * Math.PI);
/** @type {WeakMap<Frame, number[][][]>} */
const rootsOf = new WeakMap();

/**
 * Lower triangular L with L L^T = the matrix.
 * @param {number[][]} matrix D x D
 */
function cholesky(matrix) {
  const root = matrix.map((row) => row.map(() => 0));
  for (let i = 0; i < matrix.length; ++i)
    for (let j = 0; j <= i; ++j) {
      let rest = matrix[i][j];
      for (let l = 0; l < j; ++l) rest -= root[i][l] * root[j][l];
      root[i][j] = i === j ? Math.sqrt(rest) : rest / root[j][j];
    }
  return root;
}

/** @param {Frame} frame */
function roots(frame) {
  const known = rootsOf.get(frame);
  if (known !== undefined) return known;
  const made = frame.covariances.map(cholesky);
  rootsOf.set(frame, made);
  return made;
}

/**
 * log N(x; mean, L L^T).
 * @param {number[]} x
 * @param {number[]} mean
 * @param {number[][]} root
 */
function logDensity(x, mean, root) {
  let squared = 0;
  let logDeterminant = 0;
  /** @type {number[]} */
  const whitened = [];
  for (let i = 0; i < x.length; ++i) {
    let rest = x[i] - mean[i];
    for (let j = 0; j < i; ++j) rest -= root[i][j] * whitened[j];
    whitened.push(rest / root[i][i]);
    squared += whitened[i] ** 2;
    logDeterminant += Math.log(root[i][i]);
  }
  return -0.5 * (squared + x.length * LOG_2PI) - logDeterminant;
}

/**
 * How a row is shared out between components.
 * @param {number[]} x
 * @param {Frame} frame
 * @returns {Shared}
 */
function sharedOut(x, frame) {
  const logs = frame.means.map((mean, k) => logDensity(x, mean, roots(frame)[k]));
  const weighted = logs.map((log, k) => log + Math.log(frame.weights[k]));
  const noise = frame.noise === null ? -Infinity : frame.noise.log_density;
  const largest = Math.max(noise, ...weighted);
  const parts = weighted.map((log) => Math.exp(log - largest));
  const all = parts.reduce((sum, part) => sum + part, Math.exp(noise - largest));
  return {
    densities: logs.map(Math.exp),
    products: weighted.map(Math.exp),
    background: Math.exp(noise),
    total: all * Math.exp(largest),
    shares: parts.map((part) => part / all),
  };
}

/**
 * Points of the ellipse at so many standard deviations.
 * @param {number} x mean
 * @param {number} y mean
 * @param {number} xx variance
 * @param {number} xy covariance
 * @param {number} yy variance
 * @param {number} radius
 */
function ellipse(x, y, xx, xy, yy, radius) {
  const a = Math.sqrt(Math.max(xx, 0));
  const b = a > 0 ? xy / a : 0;
  const c = Math.sqrt(Math.max(yy - b * b, 0));
  return Array.from({ length: 73 }, (_, i) => {
    const angle = (2 * Math.PI * i) / 72;
    const u = radius * Math.cos(angle);
    return [x + a * u, y + b * u + c * radius * Math.sin(angle)];
  });
}

/** How far an ellipse reaches that holds a share of a two-dimensional Gaussian. @param {number} share */
function ellipseRadius(share) {
  return Math.sqrt(-2 * Math.log(1 - share));
}
