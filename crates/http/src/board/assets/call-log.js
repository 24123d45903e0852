/**
 * The newest calls of the API that this page has made, each as a command to paste.
 */

import { copyButton } from "./copy.js";
import { curl } from "./curl.js";
import { h, replace, write } from "./dom.js";

/** How many calls are kept. */
const KEPT = 200;

/** More of an answer than this, in characters, is not kept. */
const ANSWER_MAX = 10_000;

/**
 * @typedef {object} Kept
 * @property {import("./api.js").Call} call without its answer
 * @property {string} answer
 * @property {string} token
 * @property {string} words what the filter looks at
 */

/** The list, with a field to filter it. */
export class CallLog {
  /** The newest first. @type {Kept[]} */
  #calls = [];
  #filter = h("input", {
    class: "field", type: "search", placeholder: "Filter", "aria-label": "Filter API calls", autocomplete: "off",
  });
  #clear = h("button", { type: "button", class: "button small" }, "Clear");
  #count = h("span", { class: "quiet" });
  #list = h("ol", { class: "calls" });

  element = h(
    "div", { class: "call-log" },
    h("div", { class: "row" }, this.#filter, this.#clear, this.#count),
    h("div", { class: "calls-inside", role: "log", "aria-label": "Calls", "aria-live": "off", tabIndex: 0 },
      this.#list),
  );

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./session.js").Session} session
   */
  constructor(api, session) {
    api.addEventListener("call", async (event) => {
      const { detail } = /** @type {CustomEvent<import("./api.js").Call>} */ (event);
      // Whoever one becomes later has another token.
      this.#add(detail, await session.token());
    });
    this.#filter.addEventListener("input", () => this.#showAll());
    this.#clear.addEventListener("click", () => {
      this.#calls = [];
      this.#showAll();
    });
    this.#say();
  }

  /**
   * @param {import("./api.js").Call} call
   * @param {string} token
   */
  #add(call, token) {
    const text = call.answer === null ? "" : JSON.stringify(call.answer, null, 2);
    const answer = text.length > ANSWER_MAX ? `${text.slice(0, ANSWER_MAX)}\n…` : text;
    const words = `${call.method} ${below(call)} ${call.status}`.toLowerCase();
    const kept = { call: { ...call, answer: null }, answer, token, words };
    this.#calls.unshift(kept);
    if (this.#matches(kept)) {
      this.#list.prepend(item(kept));
    }
    const dropped = this.#calls.length > KEPT ? this.#calls.pop() : undefined;
    if (dropped && this.#matches(dropped)) {
      this.#list.lastElementChild?.remove();
    }
    this.#say();
  }

  #showAll() {
    replace(this.#list, ...this.#calls.filter((kept) => this.#matches(kept)).map(item));
    this.#say();
  }

  /** @param {Kept} kept */
  #matches({ words }) {
    return words.includes(this.#filter.value.trim().toLowerCase());
  }

  #say() {
    const [shown, all] = [this.#list.childElementCount, this.#calls.length];
    write(this.#count, shown === all ? `${all} ${all === 1 ? "call" : "calls"}` : `${shown} of ${all} calls`);
  }
}

/** @param {Kept} kept */
function item({ call, answer, token }) {
  const { method, status, milliseconds, at, body } = call;
  const failed = status === 0 || status >= 400;
  const details = h(
    "details", null,
    h("summary", null,
      h("span", { class: "call-at" }, at.toLocaleTimeString("en-GB")),
      h("span", { class: "call-method" }, method),
      h("span", { class: "call-path" }, below(call)),
      h("span", { class: failed ? "call-status failed" : "call-status" }, status || "no answer"),
      h("span", { class: "call-took" }, `${milliseconds} ms`)),
  );
  details.addEventListener("toggle", () => details.append(
    body ? h("pre", null, body) : "",
    h("pre", null, answer || "no body"),
  ), { once: true });
  return h("li", { class: "call" }, details, copyButton("Copy as curl", () => curl(call, token)));
}

/**
 * Path and query of a call, as people read them.
 * @param {import("./api.js").Call} call
 */
function below({ url }) {
  const { pathname, search } = new URL(url);
  try {
    return decodeURIComponent(pathname + search);
  } catch {
    return pathname + search;
  }
}
