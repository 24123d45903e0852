/**
 * What the API has refused, shown beside the control that asked for it.
 */

import { h, replace } from "./dom.js";

/** A place for one error. */
export class Problem {
  /** To be put where the error belongs. */
  element = h("div", { class: "error", role: "alert", hidden: true });

  /**
   * Shows what was wrong and what to change.
   * @param {unknown} error
   */
  show(error) {
    const { message, hint, requestId } = /** @type {Partial<import("./api.js").ApiError>} */ (error ?? {});
    replace(
      this.element,
      h("p", null, message || String(error)),
      hint ? h("p", null, sentence(hint)) : null,
      requestId ? h("p", { class: "error-request" }, "Request ", h("code", null, requestId)) : null,
    );
    this.element.hidden = false;
  }

  /** Shows nothing. */
  clear() {
    this.element.hidden = true;
    replace(this.element);
  }
}

/**
 * The API's hints are pieces of sentences.
 * @param {string} hint
 */
function sentence(hint) {
  const text = hint.charAt(0).toUpperCase() + hint.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
