/**
 * One row of the list of people. It is used again for others, so it touches only what differs.
 */

import { h, write } from "./dom.js";
import { availabilityWords, dot, groupOf, isOutOfOffice, paint, since, until, words } from "./presence.js";

/** @typedef {import("./people.js").Person} Person */
/** @typedef {import("./upcoming.js").Upcoming} Upcoming */

/** How many tints avatars have. */
const TINTS = 8;

/** @type {Record<string, string>} */
const PLACES = { office: "Office", remote: "Remote", timeOff: "Time off" };

/** What goes without saying of who is in a call, or available in whatever way. */
const SPEAKING = new Set(["Available", "Busy"]);

const quiet = matchMedia("(prefers-reduced-motion: reduce)");

/** A row, made once and shown for whoever is on the screen. */
export class PersonRow {
  /** Whom it shows. @type {Person | null} */
  #person = null;
  #presence = /** @type {import("./presence.js").Presence | null} */ (null);
  #initials = h("span", null);
  #dot = dot("Offline");
  #avatar = h("span", { class: "avatar", "aria-hidden": "true" }, this.#initials, this.#dot);
  #job = h("div", { class: "person-job" });
  #activity = h("div", { class: "person-activity" });
  #message = h("div", { class: "person-message" });
  #since = h("div", { class: "person-since" });
  #until = h("div", { class: "person-until" });

  /** Where it is, in px from the top of the list. */
  y = -1;
  /** The link to the person's page. */
  link = h("a", { class: "person-name", tabIndex: -1 });
  element = h("div", { class: "person", role: "listitem" },
    this.#avatar,
    h("div", { class: "person-who" }, this.link, this.#job),
    h("div", { class: "person-does" }, this.#activity, this.#message),
    h("div", { class: "person-when" }, this.#since, this.#until));

  /** Of whom it shows. */
  get id() {
    return this.#person?.id ?? "";
  }

  /**
   * Shows a person.
   * @param {Person} person
   * @param {Date} now
   * @param {Upcoming} upcoming
   */
  show(person, now, upcoming) {
    if (this.#person !== person) {
      this.#person = person;
      this.element.dataset.person = person.id;
      this.link.href = `#/people/${person.id}`;
      write(this.link, person.name);
      write(this.#initials, initials(person.name));
      write(this.#job, [person.job, person.department].filter(Boolean).join(" · "));
      this.#avatar.className = `avatar tint-${tint(person.id)}`;
      this.#presence = null;
      this.refresh(now, upcoming);
    } else if (this.#presence !== person.presence) {
      this.refresh(now, upcoming);
    }
  }

  /**
   * Shows the same person as they are now.
   * @param {Date} now
   * @param {Upcoming} upcoming
   * @param {boolean} [visibly] points it out when they do something else
   */
  refresh(now, upcoming, visibly = false) {
    const presence = this.#person?.presence ?? null;
    const isOther = this.#presence !== null && this.#presence.activity !== presence?.activity;
    if (this.#presence !== presence) {
      this.#presence = presence;
      paint(this.#dot, presence?.availability, isOutOfOffice(presence));
      write(this.#activity, presence ? summary(presence) : "");
      const message = presence?.statusMessage?.message.content ?? "";
      write(this.#message, message);
      this.#message.title = message;
    }
    this.tell(now, upcoming);
    if (visibly && isOther && !quiet.matches) {
      // Of opacity alone, which costs the page nothing.
      this.element.animate({ opacity: [1, 0] }, { duration: 1400, easing: "ease-out", pseudoElement: "::after" });
    }
  }

  /**
   * Says since when and until when, as it is put now.
   * @param {Date} now
   * @param {Upcoming} upcoming
   */
  tell(now, upcoming) {
    const { from, to } = this.#person ? upcoming.of(this.#person) : { from: null, to: null };
    write(this.#since, since(from, now));
    write(this.#until, to && to > now ? until(to, now) : "");
  }

  /**
   * Puts the row into its place.
   * @param {number} y in px from the top of the list
   * @param {number} position from 1
   * @param {number} size how many are listed
   */
  put(y, position, size) {
    if (this.y !== y) {
      this.y = y;
      this.element.style.setProperty("transform", `translateY(${y}px)`);
    }
    differ(this.element, "aria-posinset", position);
    differ(this.element, "aria-setsize", size);
  }
}

/**
 * What there is to say beside what somebody is doing: that they are out of office all the same, and where they are.
 * @param {import("./presence.js").Presence | null} presence
 * @returns {string[]}
 */
export function beside(presence) {
  const isOut = isOutOfOffice(presence) && presence?.activity !== "OutOfOffice";
  const place = PLACES[presence?.workLocation?.workLocationType ?? ""];
  return [isOut ? "Out of office" : "", place ?? ""].filter(Boolean);
}

/**
 * What somebody is doing, where, and whether they are out of office all the same.
 * @param {import("./presence.js").Presence} presence
 */
function summary(presence) {
  const { activity, availability } = presence;
  const doing = words(activity);
  const reach = availabilityWords(groupOf(availability));
  return [
    doing,
    // "Presenting" does not say that they want no interruptions, and the dot is for eyes alone.
    (SPEAKING.has(reach) && activity !== "Inactive") || doing.startsWith(reach) ? "" : reach,
    ...beside(presence),
  ].filter(Boolean).join(" · ");
}

/**
 * The first letters of the first and the last name, whatever signs are around them.
 * @param {string} name
 */
export function initials(name) {
  const all = name.trim().split(/[\s@.]+/).filter(Boolean);
  const written = all.filter((one) => /^[\p{L}\p{N}]/u.test(one));
  const names = written.length > 0 ? written : all;
  const letters = [names[0], names.length > 1 ? names[names.length - 1] : ""].map((one) => [...(one ?? "")][0] ?? "");
  return letters.join("").toUpperCase();
}

/**
 * The tint of somebody's avatar: always the same.
 * @param {string} id
 */
export function tint(id) {
  let sum = 0;
  for (let at = 0; at < id.length; at += 1) {
    sum = (sum * 31 + id.charCodeAt(at)) % 65_521;
  }
  return sum % TINTS;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {number} value
 */
function differ(element, name, value) {
  if (element.getAttribute(name) !== String(value)) {
    element.setAttribute(name, String(value));
  }
}
