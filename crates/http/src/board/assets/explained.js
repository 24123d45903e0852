/**
 * One person's presence and why it is what it is, kept live.
 *
 * The presence comes by the page's stream of everybody, or by a stream of its own where the caller may not see
 * everybody: a browser has few connections for all of its tabs. The explanation is asked for anew whenever the presence
 * has changed and whenever something that it names is due. What changes nothing that anybody sees, such as a session
 * that another one outranks, comes by no stream; so it is asked for now and then as well.
 */

/** How often an explanation is looked at again while nothing seems to happen, in ms. */
const LOOK_AGAIN = 5000;

/** Dispatches `change` whenever one of its fields is another. */
export class Explained extends EventTarget {
  #app;
  #id;
  #path;
  #abort = new AbortController();
  #isStreaming = false;
  #isAsking = false;
  #isStale = false;
  #askedAt = 0;

  /** `null` while unknown, and for those who are hidden. @type {import("./presence.js").Presence | null} */
  presence = null;
  /** @type {import("./explanation.js").Explanation | null} */
  explanation = null;
  /** Why nothing can be shown. @type {unknown} */
  error = null;

  /**
   * @param {import("./main.js").App} app
   * @param {string} id of the person
   * @param {string} path of their presence, such as `/v1.0/me/presence`
   */
  constructor(app, id, path) {
    super();
    this.#app = app;
    this.#id = id;
    this.#path = path;
  }

  /** Begins to follow. */
  start() {
    const { people, clock } = this.#app;
    const { signal } = this.#abort;
    people.addEventListener("change", () => this.#listen(), { signal });
    people.addEventListener("directory", () => this.#listen(), { signal });
    people.addEventListener("state", () => this.#stream(), { signal });
    clock.addEventListener("tick", () => this.#look(), { signal });
    this.presence = people.get(this.#id)?.presence ?? null;
    this.#ask(false);
    this.#stream();
  }

  /** Follows no more. */
  stop() {
    this.#abort.abort();
  }

  /** Hears of the presence by the stream of everybody. */
  #listen() {
    if (!this.#isStreaming) {
      this.#heed(this.#app.people.get(this.#id)?.presence ?? null);
    }
  }

  /** Follows the presence alone, if not everybody can be followed. */
  #stream() {
    if (this.#isStreaming || this.#app.people.state !== "refused") {
      return;
    }
    this.#isStreaming = true;
    const onEvent = (/** @type {string} */ name, /** @type {any} */ data) => {
      if (name === "presence" || name === "removed") {
        this.#heed(name === "presence" ? data : null);
      }
    };
    const follower = { onEvent, signal: this.#abort.signal };
    this.#app.api.stream(this.#path, follower).catch((error) => this.#fail(error));
  }

  /** @param {import("./presence.js").Presence | null} presence */
  #heed(presence) {
    if (presence !== this.presence) {
      this.presence = presence;
      this.#ask(false);
    }
  }

  /** Looks whether it is time to ask again. */
  #look() {
    const times = this.explanation?.layers.map((layer) => layer.nextChangeDateTime) ?? [];
    const now = this.#app.clock.now().getTime();
    const isDue = times.some((time) => time !== null && Date.parse(time) <= now);
    if (isDue || performance.now() - this.#askedAt >= LOOK_AGAIN) {
      this.#ask(!isDue);
    }
  }

  /** @param {boolean} quiet */
  async #ask(quiet) {
    if (this.#isAsking) {
      // What is being answered may be from before.
      this.#isStale ||= !quiet;
      return;
    }
    [this.#isAsking, this.#isStale, this.#askedAt] = [true, false, performance.now()];
    try {
      const answer = await this.#app.api.call("GET", `${this.#path}/porchlight.explain`, { quiet });
      this.#show(answer.body, null);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isAsking = false;
    }
    if (this.#isStale && !this.#abort.signal.aborted) {
      this.#ask(false);
    }
  }

  /** @param {any} error one that passes is what the banner of the page is for */
  #fail(error) {
    if (!error.isPassing) {
      this.#show(null, error);
      this.stop();
    }
  }

  /**
   * @param {import("./explanation.js").Explanation | null} explanation
   * @param {unknown} error
   */
  #show(explanation, error) {
    if (!this.#abort.signal.aborted) {
      [this.explanation, this.error] = [explanation, error];
      this.dispatchEvent(new Event("change"));
    }
  }
}
