// Numbers, units, colours and page elements, which every part of the explorer uses.

const UNITS = { eV: 1, meV: 1000, "kcal/mol": 23.060547830619, "kJ/mol": 96.48533212331 };

// Okabe and Ito (2008): told apart with any colour vision; the sign also shows as solid or dashed.
const ALONG = [0, 0.447, 0.698];
const AGAINST = [0.835, 0.369, 0];
const MARK = [1, 0.82, 0];
const SERIES = [
  ["#0072B2", ""], ["#D55E00", "7 3"], ["#009E73", "2 3"], ["#CC79A7", "9 3 2 3"],
  ["#E69F00", "4 2"], ["#56B4E9", "1 3"],
];

function unitName(unit, shown) {
  return unit === "eV" ? shown : `${shown}/Å`;
}

// with enough digits that bars can be added up by eye
function signed(value, factor = 1) {
  const x = value * factor;
  const digits = factor > 500 ? 0 : factor > 10 ? 1 : 3;
  const text = Math.abs(x).toFixed(digits);
  return (x < 0 && Number(text) !== 0 ? "−" : "+") + text;
}

// an error bar with one or two digits, never as a power of ten
function doubt(value) {
  if (value < 1e-4) return "<0.0001";
  return value >= 10 ? value.toFixed(0) : value.toFixed(Math.min(6, 1 - Math.floor(Math.log10(value))));
}

function css(colour) {
  return `rgb(${colour.map((c) => Math.round(255 * c)).join(",")})`;
}

// stronger contributions have a stronger colour
function shade(value, largest, least = 0.35) {
  const strength = least + (1 - least) * Math.min(1, Math.abs(value) / (largest || 1));
  return (value < 0 ? AGAINST : ALONG).map((c) => 0.93 + strength * (c - 0.93));
}

// only new words are written: browsers paint again even where a text stays the same
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// units do not break
function unbroken(words) {
  return words.replaceAll("/Å", "/\u2060Å");
}

// long labels break between their atoms
function breakable(label) {
  return label.replaceAll("···", "···\u200b").replaceAll(")–", ")–\u200b");
}

function floats(data) {
  if (typeof data === "string") {
    const raw = atob(data);
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return new Float32Array(bytes.buffer);
  }
  const view = data instanceof DataView ? data : new DataView(data.buffer || data);
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "path", "rect", "line", "text", "circle", "g", "title", "defs", "pattern"];
  const node = svg.includes(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
