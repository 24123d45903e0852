/**
 * Who somebody is and how they are, at the top of a page.
 */

import { h, replace, write } from "./dom.js";
import { holdsUntil } from "./explanation.js";
import { beside, initials, tint } from "./person-row.js";
import { availabilityWords, dot, isOutOfOffice, paint, since, until, words } from "./presence.js";

/** The face of one person. */
export class Face {
  #times;
  #initials = h("span", null);
  #dot = dot(undefined);
  #avatar = h("span", { class: "avatar", "aria-hidden": "true" }, this.#initials, this.#dot);
  #name = h("h1", { class: "face-name" });
  #about = h("p", { class: "face-about" });
  #state = h("p", { class: "face-state" });
  #message = h("p", { class: "face-message", hidden: true });

  element = h(
    "header", { class: "face" },
    this.#avatar,
    h("div", { class: "face-words" }, this.#name, this.#about, this.#state, this.#message),
  );

  /** @param {import("./times.js").Times} times */
  constructor(times) {
    this.#times = times;
  }

  /**
   * Says who it is.
   * @param {string} id
   * @param {string} name
   * @param {string[]} about such as job, department and account; what is empty is left out
   */
  name(id, name, about) {
    this.#avatar.className = `avatar tint-${tint(id)}`;
    write(this.#name, name);
    write(this.#initials, initials(name));
    write(this.#about, about.filter(Boolean).join(" · "));
  }

  /**
   * Shows how they are.
   * @param {import("./explained.js").Explained} explained
   */
  show({ presence, explanation }) {
    const pair = explanation ?? presence;
    paint(this.#dot, pair?.availability, isOutOfOffice(presence));
    replace(this.#state, ...(pair ? this.#stateOf(pair, presence, explanation) : ["Looking…"]));
    const message = presence?.statusMessage?.message.content ?? "";
    write(this.#message, message);
    this.#message.hidden = message === "";
  }

  /**
   * @param {{availability: string, activity: string}} pair
   * @param {import("./presence.js").Presence | null} presence
   * @param {import("./explanation.js").Explanation | null} explanation
   */
  #stateOf({ availability, activity }, presence, explanation) {
    const [what, how] = [words(activity), availabilityWords(availability)];
    const [from, to] = [explanation?.stateSinceDateTime, explanation && holdsUntil(explanation)];
    return [
      h("strong", null, what),
      what.startsWith(how) ? null : h("span", { class: "face-quiet" }, how),
      ...beside(presence).map((words) => h("span", { class: "face-quiet" }, words)),
      from ? h("span", { class: "face-quiet" }, this.#times.time(from, since)) : null,
      to ? h("span", { class: "face-quiet" }, this.#times.time(to, until)) : null,
    ];
  }
}
