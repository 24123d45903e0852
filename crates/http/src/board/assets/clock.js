/**
 * The server's time, which may not be this machine's: in development it can be moved ahead.
 */

/** @typedef {import("./session.js").Session} Session */

/** Less than this, in ms, is not worth correcting: an answer names whole seconds, and takes its time. */
const CLOSE = 2000;

/** How often development's clock is looked at, in ms: another tab, or a program, may have moved it. */
const LOOK_AGAIN = 5000;

/** Dispatches `tick` each second while somebody looks, and when the time has jumped. */
export class ServerClock extends EventTarget {
  #session;
  #offset = 0;
  /** @type {Promise<void> | null} */
  #asking = null;

  /** @param {Session} session */
  constructor(session) {
    super();
    this.#session = session;
    setInterval(() => document.hidden || this.#tick(), 1000);
    document.addEventListener("visibilitychange", () => document.hidden || this.#tick());
    if (session.isDevelopment) {
      setInterval(() => document.hidden || this.sync(), LOOK_AGAIN);
    }
  }

  /** What time it is for the server. */
  now() {
    return new Date(Date.now() + this.#offset);
  }

  /** Asks the server what time it is; once for however many ask at the same time. */
  sync() {
    this.#asking ??= this.#ask().finally(() => { this.#asking = null; });
    return this.#asking;
  }

  async #ask() {
    const theirs = this.#session.isDevelopment ? await developments() : await announced();
    if (theirs === null) {
      return;
    }
    const offset = theirs - Date.now();
    // In development to the millisecond.
    this.#offset = Math.abs(offset) < CLOSE && !this.#session.isDevelopment ? 0 : offset;
    this.#tick();
  }

  #tick() {
    this.dispatchEvent(new Event("tick"));
  }
}

/** What development's lever says; in Unix ms. */
async function developments() {
  const response = await fetch("/porchlight/dev/clock", { cache: "no-store" }).catch(() => null);
  return response?.ok ? Date.parse((await response.json()).now) : null;
}

/** What the header of any answer says, give or take half a second; in Unix ms. */
async function announced() {
  const asked = { method: "HEAD", cache: /** @type {RequestCache} */ ("no-store") };
  const response = await fetch("/porchlight/board/settings.json", asked).catch(() => null);
  const date = Date.parse(response?.headers.get("date") ?? "");
  return Number.isNaN(date) ? null : date + 500;
}
