// Elements from values.  Text is only ever text: nothing here, or anywhere on this page, reads markup.

export const $ = (id) => document.getElementById(id);

/** An element with properties, `data-` and `aria-` attributes by their names, and children. */
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.includes("-") || name === "role" || name === "for") made.setAttribute(name, value === true ? "" : value);
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made[name] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Changes the text only where it is another one, so that a screen reader hears it once. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

let saying = 0;

/** Says it to whoever listens to the page; the same words twice are heard twice. */
export function say(text) {
  const region = $("say");
  region.textContent = "";
  clearTimeout(saying);
  saying = setTimeout(() => (region.textContent = text), 100);
}
