/**
 * When a presence changes by itself: for those who are on the screen, since the stream does not say it.
 */

/** As many as one batch may have steps. */
const TOGETHER = 20;

/** How many answers are kept. */
const KEPT = 200;

/** For how long an answer is taken for true, in ms: a session that is kept alive changes nothing but this. */
const FRESH = 60_000;

/**
 * @typedef {object} Next
 * @property {string | null} stamp of the presence that it is about
 * @property {Date | null} at `null` if it is not worth saying
 * @property {number} asked in Unix ms
 */

/** Dispatches `change` with the ids (a Set) of whom more is known. */
export class Upcoming extends EventTarget {
  #api;
  /** @type {Map<string, Next>} */
  #known = new Map();
  #isAsking = false;

  /** @param {import("./api.js").Api} api */
  constructor(api) {
    super();
    this.#api = api;
  }

  /**
   * When this person's presence ends, as far as that is known.
   * @param {import("./people.js").Person} person
   * @returns {Date | null}
   */
  of({ id, presence }) {
    const next = this.#known.get(id);
    return next && next.stamp === (presence?.sequenceNumber ?? null) ? next.at : null;
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
    const next = this.#known.get(id);
    return !next || next.stamp !== (presence?.sequenceNumber ?? null) || Date.now() - next.asked > FRESH;
  }

  /**
   * @param {import("./people.js").Person} person
   * @param {any} explanation
   */
  #note({ id, presence }, explanation) {
    const { availability = "Available", decidedBy = "", nextChangeDateTime = null } = explanation ?? {};
    // An available session's next change is that it fades, unless it is kept alive: that says nothing of the person.
    const isWorthSaying = nextChangeDateTime && (availability !== "Available" || decidedBy === "preferred");
    const at = isWorthSaying ? new Date(nextChangeDateTime) : null;
    this.#known.delete(id);
    this.#known.set(id, { stamp: presence?.sequenceNumber ?? null, at, asked: Date.now() });
    if (this.#known.size > KEPT) {
      const [oldest] = this.#known.keys();
      this.#known.delete(oldest);
    }
  }
}
