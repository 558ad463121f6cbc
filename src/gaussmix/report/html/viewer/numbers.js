// Numbers as people read them.

/**
 * With so many significant digits, and no exponent where one can do without.
 * @param {number} value
 * @param {number} [digits]
 */
function significant(value, digits = 5) {
  if (value === 0) return "0";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  const text = size >= 1e-4 && size < 1e9 ? Number(value.toPrecision(digits)).toString() : Number(value.toPrecision(digits)).toExponential();
  return text.replaceAll("-", "−");
}

/**
 * With so many decimals.
 * @param {number} value
 * @param {number} [decimals]
 */
function fixed(value, decimals = 4) {
  return value.toFixed(decimals).replace("-", "−");
}

/** @param {number} share */
function percent(share) {
  if (share >= 0.9995 && share < 1) return ">99.9 %";
  if (share > 0 && share < 0.0005) return "<0.1 %";
  return `${(100 * share).toFixed(1)} %`;
}

/**
 * Round places between two numbers, for the ticks of an axis.
 * @param {number} low
 * @param {number} high
 * @param {number} wanted
 * @param {number} [least] apart
 */
function ticks(low, high, wanted, least = 0) {
  // Rounding is no range: steps of its size would never end.
  if (!(high - low > 1e-12 * Math.max(Math.abs(low), Math.abs(high)))) return [low];
  const rough = Math.max((high - low) / wanted, least);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = (([1, 2, 5].find((m) => m * power >= rough)) ?? 10) * power;
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high; ++i) found.push(i * step);
  return found;
}
