/**
 * The dialog that asks before a subscription ends.
 */

import { h, write } from "./dom.js";
import { Problem } from "./problem.js";

/** Asks, and stays open while what was asked for has not been done. */
export class EndDialog {
  #problem = new Problem();
  #whom = h("p", null);
  #yes = h("button", { type: "button", class: "button danger" }, "End subscription");
  #no = h("button", { type: "button", class: "button" }, "Keep it");
  /** @type {() => Promise<void>} */
  #act = async () => {};
  #isDone = false;

  element = h(
    "dialog", { class: "card dialog", "aria-labelledby": "end-title" },
    h("h2", { id: "end-title" }, "End this subscription?"),
    this.#whom,
    h("p", { class: "quiet" }, "The endpoint will be told nothing more, and its program has to subscribe again."),
    this.#problem.element,
    h("div", { class: "row" }, this.#no, this.#yes),
  );

  constructor() {
    this.#no.addEventListener("click", () => this.element.close());
    this.#yes.addEventListener("click", () => this.#do());
  }

  /**
   * Asks.
   * @param {string} whom which subscription it is
   * @param {() => Promise<void>} act what to do when the answer is yes
   * @returns {Promise<boolean>} whether it was done
   */
  ask(whom, act) {
    write(this.#whom, whom);
    this.#problem.clear();
    [this.#act, this.#isDone] = [act, false];
    this.element.showModal();
    return new Promise((resolve) => {
      this.element.addEventListener("close", () => resolve(this.#isDone), { once: true });
    });
  }

  async #do() {
    this.#problem.clear();
    try {
      await this.#act();
      this.#isDone = true;
      this.element.close();
    } catch (error) {
      this.#problem.show(error);
    }
  }
}
