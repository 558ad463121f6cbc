// Elements made of plain text: nothing that came from data is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {(Node | string)[]} children
 */
function html(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {(Node | string)[]} children
 */
function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A name that is not too long to stand in a picture. @param {string} name */
function brief(name) {
  const letters = Array.from(name);
  return letters.length > 28 ? `${letters.slice(0, 27).join("")}…` : name;
}

/** @param {number} k counted from 0; -1 is noise */
function componentClass(k) {
  return k < 0 ? "noise" : `c${k % 7}`;
}
