/**
 * Since when somebody is what they are, and until when: for those who are on the screen, since the stream does not say
 * it.
 */

import { holdsUntil } from "./explanation.js";

/** As many as one batch may have steps. */
const TOGETHER = 20;

/** How many answers are kept. */
const KEPT = 200;

/** For how long an answer is taken for true, in ms: a session that is kept alive changes nothing but this. */
const FRESH = 60_000;

/**
 * @typedef {object} Span
 * @property {Date | null} from since when availability and activity are these; `null` if they never changed
 * @property {Date | null} to when they change by themselves; `null` if they do not, or it is not worth saying
 */

/** @typedef {Span & {stamp: string | null, asked: number}} Known of which presence, and when in Unix ms */

/** Dispatches `change` with the ids (a Set) of whom more is known. */
export class Upcoming extends EventTarget {
  #api;
  /** @type {Map<string, Known>} */
  #known = new Map();
  #isAsking = false;

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    super();
    this.#api = api;
  }

  /**
   * From when to when this person's presence lasts, as far as that is known.
   * @param {import("./people.js").Person} person
   * @returns {Span}
   */
  of({ id, presence, changedAt }) {
    const known = this.#known.get(id);
    return known && known.stamp === stampOf(presence) ? known : { from: changedAt, to: null };
  }

  /**
   * Asks about those of whom it is not known.
   * @param {import("./people.js").Person[]} people
   */
  async ask(people) {
    const unknown = people.filter((person) => this.#isUnknown(person)).slice(0, TOGETHER);
    if (unknown.length === 0 || this.#isAsking) {
      return;
    }
    this.#isAsking = true;
    const steps = unknown.map(({ id }) => (
      { id, method: "GET", url: `/users/${id}/presence/porchlight.explain` }
    ));
    const asked = this.#api.call("POST", "/v1.0/$batch", { body: { requests: steps }, quiet: true });
    const answers = (await asked.catch(() => null))?.body.responses ?? [];
    const bodies = new Map(answers.map((/** @type {any} */ { id, status, body }) => [id, status === 200 ? body : null]));
    unknown.forEach((person) => this.#note(person, bodies.get(person.id) ?? null));
    this.#isAsking = false;
    this.dispatchEvent(new CustomEvent("change", { detail: new Set(unknown.map(({ id }) => id)) }));
  }

  /** @param {import("./people.js").Person} person */
  #isUnknown({ id, presence }) {
    const known = this.#known.get(id);
    return !known || known.stamp !== stampOf(presence) || Date.now() - known.asked > FRESH;
  }

  /**
   * @param {import("./people.js").Person} person
   * @param {any} explanation
   */
  #note({ id, presence, changedAt }, explanation) {
    const since = explanation?.stateSinceDateTime;
    const from = since ? new Date(since) : changedAt;
    const to = explanation && holdsUntil(explanation);
    this.#known.delete(id);
    this.#known.set(id, { from, to, stamp: stampOf(presence), asked: Date.now() });
    if (this.#known.size > KEPT) {
      const [oldest] = this.#known.keys();
      this.#known.delete(oldest);
    }
  }
}

/** @param {import("./presence.js").Presence | null} presence */
function stampOf(presence) {
  return presence?.sequenceNumber ?? null;
}
