/**
 * Elements without markup in strings: whatever people wrote ends up as text, never as HTML.
 */

/**
 * What an element is made with. `class` is its class attribute, `on` its listeners by the name of the event; names
 * with a hyphen, `role`, `for` and the like become attributes, everything else properties. `null`, `undefined` and
 * `false` leave out an attribute.
 * @typedef {Record<string, any>} Properties
 */

/** Names that are attributes although they have no hyphen. */
const ATTRIBUTES = new Set(["role", "for", "href", "list", "colspan", "scope", "datetime", "form"]);

/**
 * Makes an element.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties | null} [properties]
 * @param {...(Node | string | number | null | undefined | false)} children what is nothing is left out
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    put(element, name, value);
  }
  element.append(...solid(children));
  return element;
}

/**
 * Puts other children into an element.
 * @param {Element} parent
 * @param {...(Node | string | number | null | undefined | false)} children
 */
export function replace(parent, ...children) {
  parent.replaceChildren(...solid(children));
}

/**
 * Gives an element another text, if it is another one: a text that stays costs the browser nothing.
 * @param {Node} element
 * @param {string} text
 */
export function write(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/**
 * Makes an element of SVG with these attributes.
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...Node} children
 * @returns {SVGElement}
 */
export function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/**
 * What stands where there is nothing to show.
 * @param {string} words
 * @param {...(Node | string)} more what to do about it
 */
export function empty(words, ...more) {
  return h("div", { class: "card empty" }, h("strong", null, words), ...more);
}

/** @type {HTMLElement | undefined} */
let voice;

/**
 * Has screen readers say something, when they have finished what they are saying.
 * @param {string} text
 */
export function announce(text) {
  if (!voice) {
    voice = h("div", { class: "visually-hidden", "aria-live": "polite" });
    document.body.append(voice);
  }
  // The same text once more is said once more.
  voice.textContent = voice.textContent === text ? `${text}\u00a0` : text;
}

/**
 * @param {HTMLElement} element
 * @param {string} name
 * @param {any} value
 */
function put(element, name, value) {
  if (name === "class") {
    element.className = value ?? "";
  } else if (name === "on") {
    for (const [event, listener] of Object.entries(value)) {
      element.addEventListener(event, /** @type {EventListener} */ (listener));
    }
  } else if (name.includes("-") || ATTRIBUTES.has(name)) {
    if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  } else if (value !== undefined) {
    /** @type {any} */ (element)[name] = value;
  }
}

/**
 * @param {(Node | string | number | null | undefined | false)[]} children
 * @returns {(Node | string)[]}
 */
function solid(children) {
  const there = children.filter((child) => child !== null && child !== undefined && child !== false);
  return there.map((child) => (child instanceof Node ? child : String(child)));
}
