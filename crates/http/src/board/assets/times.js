/**
 * Texts that change as time passes, such as "4 minutes ago".
 */

import { h, write } from "./dom.js";

/** The texts of one view; `stop` when the view goes. */
export class Times {
  #clock;
  /** @type {Map<Node, (now: Date) => string>} */
  #texts = new Map();
  #tick = () => this.#write();

  /** @param {import("./clock.js").ServerClock} clock */
  constructor(clock) {
    this.#clock = clock;
    clock.addEventListener("tick", this.#tick);
  }

  /**
   * An instant in words that stay right.
   * @param {string | Date} at
   * @param {(at: Date, now: Date) => string} words
   * @returns {HTMLTimeElement}
   */
  time(at, words) {
    const instant = new Date(at);
    const element = h("time", { datetime: instant.toISOString(), title: instant.toLocaleString() });
    return this.keep(element, (now) => words(instant, now));
  }

  /**
   * Keeps the text of an element right for as long as it is part of the page.
   * @template {Node} Kept
   * @param {Kept} element
   * @param {(now: Date) => string} words
   * @returns {Kept}
   */
  keep(element, words) {
    this.#texts.set(element, words);
    write(element, words(this.#clock.now()));
    return element;
  }

  /** Leaves all texts as they are. */
  stop() {
    this.#clock.removeEventListener("tick", this.#tick);
    this.#texts.clear();
  }

  #write() {
    const now = this.#clock.now();
    for (const [element, words] of this.#texts) {
      if (element.isConnected) {
        write(element, words(now));
      } else {
        this.#texts.delete(element);
      }
    }
  }
}
