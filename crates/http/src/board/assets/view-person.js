/**
 * One person: every layer of their presence, which one decides and why, and what happens next.
 */

import { copyButton } from "./copy.js";
import { h, replace, write } from "./dom.js";
import { inWords, ofIso } from "./duration.js";
import { Explained } from "./explained.js";
import { decider, layerName, place, scale, steps } from "./explanation.js";
import { Face } from "./face.js";
import { availabilityWords, dot, moment, since, words } from "./presence.js";
import { Problem } from "./problem.js";
import { Times } from "./times.js";

/** @typedef {import("./explanation.js").Explanation} Explanation */
/** @typedef {import("./explanation.js").Layer} Layer */

/** @type {Record<string, string>} */
const LOCATIONS = { office: "Office", remote: "Remote", timeOff: "Time off", unspecified: "Unspecified" };

const HEADS = ["Layer", "Says", "Set", "Time left", "Why"];

/** `<view-person person="{id}">` */
class ViewPerson extends HTMLElement {
  /** @type {import("./main.js").App} */
  app;
  /** @type {Times} */
  #times;
  /** @type {Explained} */
  #explained;
  /** @type {Face} */
  #face;
  #problem = new Problem();
  #why = h("p", { class: "why" });
  #layers = h("tbody", null);
  #table = h(
    "table", { class: "table layers" },
    h("thead", null, h("tr", null, ...HEADS.map((words) => h("th", { scope: "col" }, words)))),
    this.#layers,
  );
  #lanes = h("div", { class: "lanes", "aria-hidden": "true" });
  #steps = h("ol", { class: "steps" });
  #nothingComes = h("p", { class: "quiet" }, "Nothing changes by itself.");
  #json = h("pre", { tabIndex: 0, "aria-label": "JSON" });
  #answers = h("div", { class: "person-answers", hidden: true });
  #become = h(
    "button", { type: "button", class: "button", hidden: true, on: { click: () => this.#turnInto() } }, "Become this person",
  );
  #seen = "";
  /** How long after a session was set it is away, in ms; null: not known, or never. @type {number | null} */
  #awayAfter = null;
  #show = () => this.#shown();
  #named = () => this.#name();

  connectedCallback() {
    const id = this.getAttribute("person") ?? "";
    this.#times = new Times(this.app.clock);
    this.#face = new Face(this.#times);
    this.#explained = new Explained(this.app, id, pathOf(id));
    this.#explained.addEventListener("change", this.#show);
    this.app.people.addEventListener("directory", this.#named);
    replace(
      this.#answers,
      region("Why", this.#why, this.#table),
      region("What happens next", this.#nothingComes, this.#lanes, this.#steps),
      this.#jsonRegion(id),
    );
    replace(
      this,
      h("p", { class: "back" }, h("a", { href: "#/people" }, "← People")),
      h("div", { class: "person-head" }, this.#face.element, this.#become),
      this.#problem.element,
      this.#answers,
    );
    this.#name();
    this.#explained.start();
    this.#learnLimits();
  }

  disconnectedCallback() {
    this.#explained.stop();
    this.#times.stop();
    this.app.people.removeEventListener("directory", this.#named);
  }

  async #learnLimits() {
    const answer = await this.app.api.call("GET", "/porchlight/limits", { quiet: true }).catch(() => null);
    const limit = answer?.body.limits.find((/** @type {any} */ { name }) => name === "fadeAwayAfter");
    this.#awayAfter = ofIso(limit?.value ?? "");
    this.#seen = "";
    this.#shown();
  }

  #name() {
    const id = this.getAttribute("person") ?? "";
    const { people, session } = this.app;
    const person = people.get(id);
    // Who may not see everybody may see themselves.
    const name = person?.name ?? (session.me?.id === id ? session.me.displayName : id);
    this.#face.name(person?.id ?? id, name, person ? [person.job, person.department, person.account] : []);
    this.#become.hidden = !session.isDevelopment || !person || session.me?.id === person.id;
    if (person) {
      document.title = `${name} · Porchlight`;
    }
  }

  #shown() {
    const { explanation, error } = this.#explained;
    this.#answers.hidden = explanation === null;
    if (error) {
      this.#problem.show(error);
      this.#become.hidden = true;
    }
    if (!explanation) {
      return;
    }
    this.#drawLanes(explanation);
    // What stays the same is left alone: somebody may be reading it, or have selected some of it.
    const seen = JSON.stringify([this.#explained.presence, explanation]);
    if (seen !== this.#seen) {
      this.#seen = seen;
      this.#face.show(this.#explained);
      this.#explain(explanation);
      this.#foretell(explanation);
      write(this.#json, JSON.stringify(explanation, null, 2));
    }
  }

  /** @param {Explanation} explanation */
  #explain(explanation) {
    const winner = decider(explanation);
    const shown = h("strong", null, pairWords(explanation));
    replace(this.#why, "Shown as ", shown, ". ", explanation.reason, winner?.applicationId
      ? ` It belongs to ${this.app.session.application(winner.applicationId)}.`
      : "");
    replace(this.#layers, ...explanation.layers.map((layer) => this.#row(layer, layer === winner)));
    this.#table.hidden = explanation.layers.length === 0;
  }

  /**
   * @param {Layer} layer
   * @param {boolean} decides
   */
  #row(layer, decides) {
    return h(
      "tr", { "data-layer": layer.kind, "aria-current": decides ? "true" : null },
      h("th", { scope: "row" }, layerName(layer), this.#owner(layer)),
      h("td", { "data-head": "Says" }, ...this.#content(layer)),
      h("td", { "data-head": "Set" }, layer.setDateTime ? this.#times.time(layer.setDateTime, since) : "–"),
      h("td", { "data-head": "Time left" }, this.#timeLeft(layer)),
      h("td", { "data-head": "Why" }, layer.wins ? h("span", { class: "badge" }, "Shows") : null, ` ${layer.reason}`),
    );
  }

  /** @param {Layer} layer */
  #owner({ applicationId, sessionId }) {
    if (!applicationId) {
      return null;
    }
    const session = sessionId === applicationId ? "" : `, session ${sessionId}`;
    return h("span", { class: "owner" }, this.app.session.application(applicationId), session);
  }

  /** @param {Layer} layer */
  #content(layer) {
    const [{ presence }, { availability, activity }] = [this.#explained, layer];
    if (availability && activity) {
      return [dot(availability), ` ${pairWords({ availability, activity })}`];
    }
    if (layer.kind === "statusMessage") {
      return [quotation(presence?.statusMessage?.message.content)];
    }
    if (layer.kind === "outOfOffice") {
      return [quotation(presence?.outOfOfficeSettings?.message)];
    }
    // The presence names the location that shows, and no other.
    const location = layer.wins && layer.kind.endsWith("Location") ? presence?.workLocation : null;
    const parts = location ? [LOCATIONS[location.workLocationType], location.placeId] : [];
    return [parts.filter(Boolean).join(", ") || "–"];
  }

  /** @param {Layer} layer */
  #timeLeft({ endDateTime, nextChangeDateTime }) {
    if (!endDateTime) {
      return "no end";
    }
    const fades = nextChangeDateTime !== null && nextChangeDateTime !== endDateTime;
    return h(
      "span", null, this.#times.time(endDateTime, left),
      fades ? h("span", { class: "owner" }, "fades in ", this.#times.time(nextChangeDateTime, left)) : null,
    );
  }

  /** @param {Explanation} explanation */
  #foretell(explanation) {
    const coming = steps(explanation, this.#awayAfter);
    this.#nothingComes.hidden = coming.length > 0;
    this.#steps.hidden = coming.length === 0;
    replace(this.#steps, ...coming.map((step) => this.#step(step)));
  }

  /**
   * A layer with whose it is.
   * @param {Layer} layer
   */
  #title(layer) {
    const { applicationId } = layer;
    return layerName(layer) + (applicationId ? ` of ${this.app.session.application(applicationId)}` : "");
  }

  /** @param {import("./explanation.js").Step} step */
  #step({ at, layer, what, becomes, seen }) {
    const does = what === "ends" ? "ends" : `fades to ${words(becomes)}`;
    const time = new Date(at);
    return h(
      "li", { class: seen ? "step seen" : "step" },
      h("span", { class: "step-time" }, this.#times.time(time, moment)),
      h("span", { class: "step-words" }, `${this.#title(layer)} ${does}`),
      seen ? h("span", { class: "badge" }, "Others see it") : null,
      h("span", { class: "step-left" }, "in ", this.#times.time(time, left)),
    );
  }

  /**
   * A bar for each layer, as long as it lasts, from now to the last thing that happens.
   * @param {Explanation} explanation
   */
  #drawLanes(explanation) {
    const now = this.app.clock.now().getTime();
    const coming = steps(explanation, this.#awayAfter);
    const last = coming.at(-1)?.at ?? now;
    this.#lanes.hidden = last <= now;
    const winner = decider(explanation);
    const lanes = explanation.layers.map((layer) => {
      const own = coming.filter((step) => step.layer === layer);
      const placed = own.map((step) => ({ ...step, at: place(step.at, now, last) }));
      return lane(layer, this.#title(layer), layer === winner, placed);
    });
    const marks = [{ place: 0, words: "now" }, ...scale(now, last)];
    const scaled = marks.map(({ place, words }) => put(h("span", { class: "mark" }, words), "left", place));
    replace(this.#lanes, ...lanes, h("div", { class: "lane scale" }, h("span", { class: "lane-track" }, ...scaled)));
  }

  /** @param {string} id */
  #jsonRegion(id) {
    const path = h("code", { class: "path" }, `GET ${pathOf(id)}/porchlight.explain`);
    const copy = copyButton("Copy JSON", () => this.#json.textContent ?? "");
    return region("As the API says it", h("div", { class: "row" }, path, copy), this.#json);
  }

  /** Development: from now on this person uses the board. */
  #turnInto() {
    const person = this.app.people.get(this.getAttribute("person") ?? "");
    if (person) {
      this.app.session.become({ id: person.id, displayName: person.name, userPrincipalName: person.account });
    }
  }
}

/** @param {string} id */
function pathOf(id) {
  return `/v1.0/users/${encodeURIComponent(id)}/presence`;
}

/**
 * A part of the page with a heading that it is called by.
 * @param {string} heading
 * @param {...Node} children
 */
function region(heading, ...children) {
  const id = `region-${heading.toLowerCase().replaceAll(" ", "-")}`;
  return h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, heading), ...children);
}

/** @param {{availability: string, activity: string}} pair */
function pairWords({ availability, activity }) {
  const [what, how] = [words(activity), availabilityWords(availability)];
  return what.startsWith(how) ? what : `${what} (${how})`;
}

/** @param {string | null | undefined} text */
function quotation(text) {
  return text ? `“${text}”` : "–";
}

/**
 * How long it is until an instant.
 * @param {Date} at
 * @param {Date} now
 */
function left(at, now) {
  return inWords(at.getTime() - now.getTime());
}

/**
 * The bar of a layer, with a mark where it fades.
 * @param {Layer} layer
 * @param {string} title
 * @param {boolean} decides
 * @param {import("./explanation.js").Step[]} steps of this layer, with places from 0 to 1
 */
function lane(layer, title, decides, steps) {
  const end = steps.find(({ what }) => what === "ends");
  const kind = `lane-${layer.availability?.toLowerCase() ?? "beside"}`;
  const more = `${end ? "" : " lane-open"}${decides ? " lane-decides" : ""}`;
  const bar = put(h("span", { class: `lane-bar ${kind}${more}` }), "width", end?.at ?? 1);
  const fades = steps.filter(({ what }) => what === "fades");
  const marks = fades.map(({ at }) => put(h("span", { class: "lane-fade" }), "left", at));
  const track = h("span", { class: "lane-track" }, bar, ...marks);
  return h("div", { class: "lane" }, h("span", { class: "lane-name", title }, title), track);
}

/**
 * @template {HTMLElement} Placed
 * @param {Placed} element
 * @param {"left" | "width"} property
 * @param {number} share from 0 to 1
 * @returns {Placed}
 */
function put(element, property, share) {
  element.style.setProperty(property, `${Math.round(share * 1000) / 10}%`);
  return element;
}

customElements.define("view-person", ViewPerson);
