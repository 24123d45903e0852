/**
 * Copying to the clipboard.
 */

import { announce, h, write } from "./dom.js";

/** How long a button says that it has copied, in ms. */
const SAYS = 2000;

/**
 * A button that copies a text.
 * @param {string} words what the button is called
 * @param {() => string} text asked for when it is pressed
 * @returns {HTMLButtonElement}
 */
export function copyButton(words, text) {
  const button = h("button", { type: "button", class: "button copy" }, words);
  button.addEventListener("click", async () => {
    const said = (await copy(text())) ? "Copied" : "The browser does not let this page copy";
    announce(said);
    button.classList.add("copied");
    write(button, said);
    setTimeout(() => {
      button.classList.remove("copied");
      write(button, words);
    }, SAYS);
  });
  return button;
}

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether it is in the clipboard
 */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/**
 * The old way, which works where a page came by plain http from another machine.
 * @param {string} text
 */
function copyBySelection(text) {
  const before = document.activeElement;
  const area = h("textarea", { class: "visually-hidden", value: text, readOnly: true });
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) {
    before.focus();
  }
  return copied;
}
