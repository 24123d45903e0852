/**
 * One subscription in the table, with its attempts below it when it is opened.
 */

import { h, replace, svg, write } from "./dom.js";
import { moment, since } from "./presence.js";
import { health, latency, line, subject, wrong } from "./subscription.js";

/** @typedef {import("./subscription.js").Attempt} Attempt */

/**
 * As the API writes it.
 * @typedef {object} Subscription
 * @property {string} id
 * @property {string} resource
 * @property {string} applicationId
 * @property {string} creatorId
 * @property {string} notificationUrl
 * @property {string | null} notificationQueryOptions
 * @property {string | null} lifecycleNotificationUrl
 * @property {string} expirationDateTime
 * @property {boolean} includeResourceData
 */

/** The line of the newest latencies, in px. */
const WIDTH = 72;
const HEIGHT = 18;

/** Two rows of the table: what is always shown, and what is shown when it is opened. */
export class SubscriptionRow {
  #app;
  #times;
  /** @type {Attempt[] | null} */
  #attempts = null;
  #opener = h("button", { type: "button", class: "opener", "aria-expanded": "false" });
  #endpoint = h("td", { class: "endpoint", "data-head": "Endpoint" });
  #health = h("td", { "data-head": "Health" });
  #last = h("td", { "data-head": "Last attempt" });
  #latency = h("td", { "data-head": "Latency" });
  #ends = h("td", { "data-head": "Ends" });
  #end = h("button", { type: "button", class: "button small" }, "End");
  #details = h("td", { colspan: 7 });
  #below = h("tr", { class: "attempts", hidden: true }, this.#details);
  #row = h(
    "tr", null, h("th", { scope: "row", "data-head": "Resource" }, this.#opener),
    this.#endpoint, this.#health, this.#last, this.#latency, this.#ends, h("td", null, this.#end),
  );

  /** A part of the table by itself, so that both rows are one. */
  element = h("tbody", null, this.#row, this.#below);

  /**
   * @param {import("./main.js").App} app
   * @param {import("./times.js").Times} times
   * @param {Subscription} subscription
   * @param {() => void} onEnd
   */
  constructor(app, times, subscription, onEnd) {
    this.#app = app;
    this.#times = times;
    this.subscription = subscription;
    this.#row.dataset.subscription = subscription.id;
    this.#below.id = `attempts-${subscription.id}`;
    this.#opener.setAttribute("aria-controls", this.#below.id);
    this.#opener.addEventListener("click", () => this.#open());
    this.#end.addEventListener("click", onEnd);
    this.name();
    this.renew(subscription);
  }

  /** Which subscription it is, in words. */
  words() {
    const { host } = new URL(this.subscription.notificationUrl);
    return `${this.#opener.textContent}, told to ${host}.`;
  }

  /** Says whom it is about, by the names that are known now. */
  name() {
    write(this.#opener, subject(this.subscription, (key) => this.#nameOf(key)));
  }

  /**
   * Shows the subscription as it is now.
   * @param {Subscription} subscription
   */
  renew(subscription) {
    const isSame = JSON.stringify(subscription) === JSON.stringify(this.subscription);
    if (isSame && this.#endpoint.hasChildNodes()) {
      return;
    }
    this.subscription = subscription;
    const { host, pathname, protocol } = new URL(subscription.notificationUrl);
    replace(this.#endpoint, h("span", { title: subscription.notificationUrl },
      protocol === "https:" ? "" : `${protocol}//`, h("strong", null, host), pathname));
    replace(this.#ends, this.#times.time(subscription.expirationDateTime, moment));
    this.#detail();
  }

  /**
   * Shows the newest attempts.
   * @param {Attempt[]} attempts oldest first
   */
  show(attempts) {
    if (JSON.stringify(attempts) !== JSON.stringify(this.#attempts)) {
      this.#attempts = attempts;
      replace(this.#health, this.#healthOf(attempts));
      replace(this.#last, ...this.#lastOf(attempts.at(-1)));
      replace(this.#latency, ...latencyOf(attempts));
      this.#detail();
    }
  }

  #open() {
    this.#below.hidden = !this.#below.hidden;
    this.#opener.setAttribute("aria-expanded", String(!this.#below.hidden));
    this.#detail();
  }

  /** @param {Attempt[]} attempts */
  #healthOf(attempts) {
    const { state, since: from, longer, error } = health(attempts);
    if (state === "ok") {
      return h("span", { class: "health health-ok" }, mark("M3 8.5 6.5 12 13 4.5"), "OK");
    }
    if (state === "never" || from === null) {
      return h("span", { class: "health health-never" }, mark("M3 8H13"), "Not told yet");
    }
    return h(
      "span", { class: "health health-failing" }, mark("M8 3V9.5M8 12.5V13"),
      h("span", null, longer ? "Failing since before " : "Failing since ", this.#times.time(from, moment),
        h("span", { class: "owner" }, error)),
    );
  }

  /** @param {Attempt | undefined} attempt */
  #lastOf(attempt) {
    return attempt ? [this.#times.time(attempt.time, since)] : ["–"];
  }

  /** What there is to say when it is open. */
  #detail() {
    if (this.#below.hidden) {
      replace(this.#details);
      return;
    }
    const { id, resource, applicationId, creatorId, notificationUrl, ...more } = this.subscription;
    const facts = [
      ["Id", id], ["Resource", resource], ["Endpoint", notificationUrl],
      ["Told of its own end at", more.lifecycleNotificationUrl], ["Options", more.notificationQueryOptions],
      ["Made by", `${this.#app.session.application(applicationId)} for ${this.#nameOf(creatorId) ?? creatorId}`],
      ["Tells", more.includeResourceData ? "the presence, encrypted" : "who has changed"],
    ];
    const told = facts.filter(([, text]) => text).map(([name, text]) => (
      h("div", null, h("dt", null, name), h("dd", null, text))
    ));
    replace(this.#details, h("dl", { class: "facts" }, ...told), this.#attemptTable());
  }

  #attemptTable() {
    const newest = [...(this.#attempts ?? [])].reverse();
    if (newest.length === 0) {
      return h("p", { class: "quiet" }, "No attempts: nothing has changed since, or nothing that was subscribed to.");
    }
    const heads = ["When", "Attempt", "People", "Took", "Answer"];
    const head = h("thead", null, h("tr", null, ...heads.map((words) => h("th", { scope: "col" }, words))));
    const rows = newest.map((attempt) => h(
      "tr", { class: attempt.error ? "failed" : "" },
      h("td", null, this.#times.time(attempt.time, exact)),
      h("td", null, attempt.attempt),
      h("td", null, attempt.items),
      h("td", null, `${attempt.latencyMs} ms`),
      h("td", null, wrong(attempt) ?? `taken, ${attempt.status}`),
    ));
    return h("table", { class: "table", "aria-label": "Attempts" }, head, h("tbody", null, ...rows));
  }

  /**
   * The name of a person.
   * @param {string} key id or user principal name
   */
  #nameOf(key) {
    return this.#app.people.get(key)?.name ?? null;
  }
}

/** @param {Attempt[]} attempts */
function latencyOf(attempts) {
  const times = latency(attempts);
  if (!times) {
    return ["–"];
  }
  const values = attempts.map((attempt) => attempt.latencyMs);
  const drawn = svg(
    "svg", { class: "sparkline", viewBox: `-1 -1 ${WIDTH + 2} ${HEIGHT + 2}`, "aria-hidden": "true" },
    svg("polyline", { points: line(values, WIDTH, HEIGHT) }),
  );
  return [h("span", { title: `median ${times.median} ms, worst ${times.worst} ms` }, `${times.newest} ms`), drawn];
}

/** @param {string} path */
function mark(path) {
  return svg("svg", { viewBox: "0 0 16 16", class: "health-mark", "aria-hidden": "true" }, svg("path", { d: path }));
}

/**
 * An instant to the second.
 * @param {Date} at
 * @param {Date} now
 */
function exact(at, now) {
  return `${moment(at, now)}:${String(at.getSeconds()).padStart(2, "0")}`;
}
