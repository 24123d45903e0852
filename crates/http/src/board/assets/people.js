/**
 * Everybody in the directory with their presence, kept live by one stream.
 */

import { ApiError } from "./api.js";
import { changedAt } from "./presence.js";

/** @typedef {import("./presence.js").Presence} Presence */

/**
 * @typedef {object} Person
 * @property {string} id
 * @property {string} name
 * @property {string} account the user principal name
 * @property {string} department nothing if there is none
 * @property {string} job
 * @property {Presence | null} presence `null` while unknown, and for those who are hidden
 * @property {Date | null} changedAt since when availability and activity are these, as far as the page has seen it
 */

const MEMBERS = "$select=id,displayName,userPrincipalName,department,jobTitle";

/** As many as one request may name. */
const TOGETHER = 100;

/** What changes so much later than now, in ms, has changed by a clock that was moved. */
const AHEAD = 3000;

/** How long to wait, in ms, for more people who are new, so that they are asked for together. */
const GATHER = 300;

/**
 * Dispatches, at most once a frame, `change` with the ids (a Set) of those whose presence is another, and `directory`
 * when people have come or gone; `state` when {@link People.state} is another.
 */
export class People extends EventTarget {
  #api;
  #clock;
  /** @type {Map<string, Person>} */
  #people = new Map();
  /** @type {Set<string>} */
  #changed = new Set();
  /** Told of by the stream, and not known from the directory. @type {Map<string, Presence>} */
  #strangers = new Map();
  /** While a snapshot comes: who has not been in it yet. @type {Set<string> | null} */
  #missing = null;
  #hasMoved = false;
  #askedTime = -AHEAD;
  #frame = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #abort = new AbortController();

  /**
   * `loading` until everything has been read once, then `live`; `waiting` while the stream is away; `refused` when the
   * caller may not see everybody.
   * @type {"loading" | "live" | "waiting" | "refused"}
   */
  state = "loading";
  /** Why it is not live. @type {ApiError | null} */
  error = null;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./clock.js").ServerClock} clock
   */
  constructor(api, clock) {
    super();
    this.#api = api;
    this.#clock = clock;
  }

  /** Begins to follow; returns at once. */
  start() {
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.#turn("loading", null);
    this.#follow(signal).catch((error) => signal.aborted || this.#turn("refused", error));
  }

  /** Follows no more, and forgets everybody. */
  stop() {
    this.#abort.abort();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#people.clear();
    this.#strangers.clear();
    this.#changed.clear();
    this.#missing = null;
    this.#hasMoved = true;
    this.#say();
  }

  /** Everybody who can be seen. @returns {IterableIterator<Person>} */
  all() {
    return this.#people.values();
  }

  /**
   * @param {string} key the id, or the user principal name, in whatever case
   * @returns {Person | undefined}
   */
  get(key) {
    const lower = key.toLowerCase();
    const byAccount = () => [...this.#people.values()].find(({ account }) => account.toLowerCase() === lower);
    return this.#people.get(lower) ?? (key.includes("@") ? byAccount() : undefined);
  }

  /** @param {AbortSignal} signal */
  async #follow(signal) {
    await this.#readDirectory(signal);
    await this.#api.stream("/v1.0/communications/presences", {
      signal,
      onEvent: (name, data) => this.#told(name, data),
      onState: (state, error) => state === "waiting" && this.#turn("waiting", error),
    });
  }

  /**
   * Reads until it has been read: a server that is not there yet is waited for.
   * @param {AbortSignal} signal
   */
  async #readDirectory(signal) {
    for (let pause = 500; !signal.aborted; pause = Math.min(pause * 2, 10_000)) {
      try {
        for await (const page of this.#api.pages(`/v1.0/users?${MEMBERS}&$top=999`)) {
          if (signal.aborted) {
            return;
          }
          page.forEach((entry) => this.#enter(entry));
          this.#say();
        }
        return;
      } catch (error) {
        if (signal.aborted || !(error instanceof ApiError && error.isPassing)) {
          throw error;
        }
        this.#turn("waiting", error);
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
  }

  /** @param {any} entry of the directory */
  #enter({ id, displayName, userPrincipalName, department, jobTitle }) {
    const presence = this.#strangers.get(id) ?? this.#people.get(id)?.presence ?? null;
    this.#strangers.delete(id);
    const name = displayName ?? userPrincipalName ?? id;
    this.#people.set(id, {
      id, name, account: userPrincipalName ?? "", department: department ?? "", job: jobTitle ?? "", presence,
      changedAt: changedAt(presence),
    });
    this.#hasMoved = true;
  }

  /**
   * @param {string} name
   * @param {any} data
   */
  #told(name, data) {
    if (name === "presence") {
      this.#missing?.delete(data.id);
      this.#show(data);
    } else if (name === "removed") {
      this.#remove(data.id);
    } else if (name === "snapshot") {
      this.#missing = new Set(this.#people.keys());
      // Development may have begun anew, and its clock with it.
      this.#askTime();
    } else if (name === "current") {
      // Whoever was not in the snapshot is hidden, or has gone.
      this.#missing?.forEach((id) => this.#remove(id));
      this.#missing = null;
      this.#turn("live", null);
    }
  }

  /** @param {Presence} presence */
  #show(presence) {
    const person = this.#people.get(presence.id);
    if (!person) {
      this.#strangers.set(presence.id, presence);
      this.#timer ??= setTimeout(() => this.#meet(), GATHER);
      return;
    }
    // Whoever never had a presence has no number: development has begun anew.
    if (!isSame(person.presence, presence) || !presence.sequenceNumber) {
      person.changedAt = changedAt(presence);
    }
    person.presence = presence;
    if (person.changedAt && person.changedAt.getTime() > this.#clock.now().getTime() + AHEAD) {
      this.#askTime();
    }
    this.#changed.add(person.id);
    this.#say();
  }

  /** Asks what time it is, now and then at most. */
  #askTime() {
    if (performance.now() - this.#askedTime > AHEAD) {
      this.#askedTime = performance.now();
      this.#clock.sync();
    }
  }

  /** @param {string} id */
  #remove(id) {
    this.#strangers.delete(id);
    if (this.#people.delete(id)) {
      this.#hasMoved = true;
      this.#say();
    }
  }

  /** Asks the directory who those are that the stream tells of. */
  async #meet() {
    this.#timer = undefined;
    const ids = [...this.#strangers.keys()].slice(0, TOGETHER);
    const list = ids.map((id) => `'${id}'`).join(",");
    const path = `/v1.0/users?${MEMBERS}&$top=${TOGETHER}&$filter=${encodeURIComponent(`id in (${list})`)}`;
    const met = await this.#api.call("GET", path).catch(() => null);
    met?.body.value.forEach((/** @type {any} */ entry) => this.#enter(entry));
    // Whom the directory does not know is not asked for again until the stream tells of them again.
    ids.forEach((id) => this.#strangers.delete(id));
    if (this.#strangers.size > 0) {
      this.#timer ??= setTimeout(() => this.#meet(), GATHER);
    }
    this.#say();
  }

  /**
   * @param {People["state"]} state
   * @param {ApiError | null} error
   */
  #turn(state, error) {
    [this.state, this.error] = [state, error];
    this.dispatchEvent(new Event("state"));
  }

  /** Says what has changed, when the next frame is drawn. */
  #say() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      const [changed, hasMoved] = [this.#changed, this.#hasMoved];
      [this.#changed, this.#hasMoved] = [new Set(), false];
      if (hasMoved) {
        this.dispatchEvent(new Event("directory"));
      }
      if (changed.size > 0) {
        this.dispatchEvent(new CustomEvent("change", { detail: changed }));
      }
    });
  }
}

/**
 * Whether somebody does the same, whatever else is another.
 * @param {Presence | null} one
 * @param {Presence} other
 */
function isSame(one, other) {
  return one !== null && one.availability === other.availability && one.activity === other.activity;
}
