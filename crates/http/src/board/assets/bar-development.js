/**
 * `<bar-development>`: the levers of a development server, at the bottom of every page. Who one is, what time it is,
 * faults of deliveries, and every call that the page makes.
 */

import { CallLog } from "./call-log.js";
import { announce, h, replace, write } from "./dom.js";
import { inWords, iso } from "./duration.js";
import { Problem } from "./problem.js";
import { Times } from "./times.js";

/** Among how many people one can choose who to be; a person's own page has a button for the others. */
const OFFERED = 100;

/** Less than this, in ms, is no moved clock. */
const CLOSE = 2000;

/** Buttons that move the clock: their words, and how far. */
const AHEAD = [["+1 min", "PT1M"], ["+5 min", "PT5M"], ["+1 h", "PT1H"]];

const LEVERS = "/porchlight/dev";

class BarDevelopment extends HTMLElement {
  /** @type {import("./main.js").App} */
  app;
  /** @type {import("./session.js").Me[]} */
  #offered = [];
  #who = h("select", { class: "field", id: "you-are" });
  #said = h("span", { class: "bar-said" });
  #problem = new Problem();
  #share = field("Share of deliveries that fail", { min: "0", max: "1", step: "0.05" });
  #latency = field("Extra latency in ms", { min: "0", step: "100" });

  connectedCallback() {
    const { session, clock, api } = this.app;
    this.#who.addEventListener("change", () => this.#become());
    session.addEventListener("change", () => this.#offer());
    const log = new CallLog(api, session);
    replace(this, h(
      "section", { class: "bar", "aria-label": "Development" },
      h("strong", { class: "bar-sign" }, "Development server"),
      h("span", { class: "bar-who" }, h("label", { for: this.#who.id }, "You are"), this.#who),
      this.#clock(new Times(clock)),
      this.#said,
      h("div", { class: "bar-panels" }, panel("Faults", this.#faults()), panel("API calls", log.element)),
      this.#problem.element,
    ));
    // What has the focus is scrolled to where the bar does not cover it.
    new ResizeObserver(() => {
      document.documentElement.style.setProperty("--bar", `${this.offsetHeight}px`);
    }).observe(this);
    this.#find();
  }

  async #find() {
    this.#offered = await this.app.session.find("", OFFERED).catch(() => this.#offered);
    this.#offer();
  }

  /** Offers whom one can be, with who one is. */
  #offer() {
    const { me } = this.app.session;
    const isOffered = this.#offered.some(({ id }) => id === me?.id);
    const all = me && !isOffered ? [me, ...this.#offered] : [...this.#offered];
    all.sort((one, other) => one.displayName.localeCompare(other.displayName));
    const options = all.map(({ id, displayName }) => h("option", { value: id }, displayName));
    replace(this.#who, me ? null : h("option", { value: "" }, "nobody yet"), ...options);
    this.#who.value = me?.id ?? "";
  }

  #become() {
    const person = this.#offered.find(({ id }) => id === this.#who.value);
    if (person) {
      this.app.session.become(person);
    }
  }

  /** @param {Times} times */
  #clock(times) {
    const ahead = AHEAD.map(([words, length]) => this.#lever(words, () => this.#advance(length)));
    return h(
      "div", { class: "bar-clock", role: "group", "aria-label": "Clock" },
      times.keep(h("span", { class: "bar-time" }), serverTime),
      ...ahead,
      this.#lever("Until next change", () => this.#untilNextChange()),
      this.#lever("Reset", () => this.#reset()),
    );
  }

  #faults() {
    const [share, latency] = [this.#share.input, this.#latency.input];
    const send = () => {
      const body = { deliveryFailureRate: Number(share.value), extraLatencyMs: Number(latency.value) };
      return this.app.api.call("POST", `${LEVERS}/faults`, { body });
    };
    const make = async () => {
      await send();
      return "Deliveries are faulty from now on.";
    };
    const end = async () => {
      [share.value, latency.value] = ["0", "0"];
      await send();
      return "Deliveries have no faults any more.";
    };
    return h(
      "div", { class: "faults" }, this.#share.element, this.#latency.element,
      h("div", { class: "row" }, this.#lever("Make faults", make), this.#lever("No faults", end)),
      h("p", { class: "quiet" }, "For deliveries to webhooks. A single subscription ends on the page Subscriptions."),
    );
  }

  /**
   * A button that does something and says what has come of it.
   * @param {string} words
   * @param {() => Promise<string>} act gives what is to be said, if anything
   */
  #lever(words, act) {
    const pull = async () => {
      this.#problem.clear();
      write(this.#said, "");
      try {
        const said = await act();
        if (said) {
          write(this.#said, said);
          announce(said);
        }
      } catch (error) {
        this.#problem.show(error);
      }
    };
    return h("button", { type: "button", class: "button small", on: { click: pull } }, words);
  }

  /** @param {string} advance by ISO 8601 */
  async #advance(advance) {
    await this.app.api.call("POST", `${LEVERS}/clock`, { body: { advance } });
    await this.app.clock.sync();
    // To be seen beside the buttons already.
    announce(`It is ${serverTime(this.app.clock.now())}.`);
    return "";
  }

  /** Moves the clock to when something of the person who is shown changes by itself, else of oneself. */
  async #untilNextChange() {
    const [, shown] = location.hash.match(/^#\/people\/([^/]+)$/) ?? [];
    const path = shown ? `/v1.0/users/${shown}/presence` : "/v1.0/me/presence";
    const { body } = await this.app.api.call("GET", `${path}/porchlight.explain`);
    await this.app.clock.sync();
    const left = Date.parse(body.nextChangeDateTime ?? "") - this.app.clock.now().getTime();
    if (Number.isNaN(left)) {
      return `Nothing of ${shown ? "this person" : "you"} changes by itself.`;
    }
    return this.#advance(iso(left));
  }

  async #reset() {
    await this.app.api.call("POST", `${LEVERS}/reset`);
    await this.app.clock.sync();
    await this.#find();
    return "Everything is as it was at first.";
  }
}

/**
 * What time it is for the server, and how far that was moved.
 * @param {Date} now
 */
function serverTime(now) {
  const ahead = now.getTime() - Date.now();
  const time = now.toLocaleTimeString("en-GB");
  return ahead > CLOSE ? `${time} (${inWords(ahead)} ahead)` : time;
}

/**
 * A field for a number.
 * @param {string} label
 * @param {Record<string, string>} range
 */
function field(label, range) {
  const id = label.toLowerCase().replaceAll(" ", "-");
  const input = h("input", { class: "field", type: "number", id, ...range, value: "0" });
  return { input, element: h("p", { class: "labelled" }, h("label", { for: id }, label), input) };
}

/**
 * A part of the bar that opens.
 * @param {string} words
 * @param {Node} content
 */
function panel(words, content) {
  const summary = h("summary", { class: "button small" }, words);
  const element = h("details", { class: "panel" }, summary, h("div", { class: "panel-inside" }, content));
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && element.open) {
      element.open = false;
      summary.focus();
    }
  });
  return element;
}

customElements.define("bar-development", BarDevelopment);
