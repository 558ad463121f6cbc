// What Python put into the page.

/**
 * @typedef {object} MixtureFacts
 * @property {number[]} weights K
 * @property {number[][]} means K x D
 * @property {number[][][]} covariances K x D x D
 *
 * @typedef {object} Noise
 * @property {number} weight
 * @property {number} log_density log of weight / volume
 *
 * @typedef {object} FrameOnly
 * @property {number} iteration M-steps done before
 * @property {number} log_likelihood total, in nats
 * @property {number} objective log-likelihood and log density of the prior
 * @property {Noise | null} noise
 * @property {number[]} counts K, sums of responsibilities
 * @property {number[][]} offsets K x D, sums of r (x - mu)
 * @property {number[][][] | null} scatter K x D x D, sums of r (x - mu)(x - mu)^T
 * @property {{weights: number[], means: number[][], covariances: number[][][] | null} | null} after what the M-step makes of the sums
 * @property {boolean} leapt whether the fit went further than the M-step
 *
 * @typedef {MixtureFacts & FrameOnly} Frame
 *
 * @typedef {object} Facts
 * @property {string} name of the story that these facts tell
 * @property {string} words what there is to say of it
 * @property {string[]} features
 * @property {number} n_rows
 * @property {string} ended what to say where the fit ended
 * @property {string} told what is not shown of rows and iterations
 * @property {number[]} row_numbers
 * @property {number[][]} rows
 * @property {Frame[]} frames
 * @property {{iterations: number[], objectives: number[]}} history
 * @property {string} covariance
 * @property {string} covariance_words
 * @property {number} row_weight
 * @property {string} prior
 * @property {boolean} by_hand whether the covariances follow from the sums by one formula
 * @property {number} pseudo_rows
 * @property {number[][] | null} pseudo_scatter
 * @property {number} reg_covar
 */

/** @param {string} id */
function found(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

/** The fits that the page tells of, the page's own first. @returns {Facts[]} */
function readStories() {
  return JSON.parse(found("facts").textContent ?? "").stories;
}
