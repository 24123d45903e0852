/**
 * Calls of the server's own API, which is all that the board knows of it.
 */

import { EventReader } from "./events.js";

/** @typedef {import("./session.js").Session} Session */

/**
 * @typedef {object} Answer
 * @property {number} status
 * @property {Headers} headers
 * @property {any} body the JSON; `null` when there is none
 */

/**
 * A call as the log of the development bar shows it: the detail of the event `call`.
 * @typedef {object} Call
 * @property {Date} at
 * @property {string} method
 * @property {string} url
 * @property {Record<string, string>} headers those that were sent, without the token
 * @property {string | null} body
 * @property {number} status 0 when nobody answered
 * @property {number} milliseconds
 * @property {any} answer
 */

/**
 * What a stream tells whoever opened it.
 * @typedef {object} Follower
 * @property {(name: string, data: any, id: string) => void} onEvent
 * @property {(state: "open" | "waiting", error: ApiError | null) => void} [onState]
 * @property {AbortSignal} signal
 */

/** The shortest and the longest time between two attempts to open a stream, in ms. */
const PAUSE_MIN = 500;
const PAUSE_MAX = 10_000;

/** An answer that is an error, or none at all. */
export class ApiError extends Error {
  /**
   * @param {object} what
   * @param {number} [what.status] 0 when nobody answered
   * @param {string} [what.code]
   * @param {string} what.message
   * @param {string} [what.hint] what to change
   * @param {string} [what.requestId]
   * @param {number | null} [what.retryAfter] in seconds
   */
  constructor({ status = 0, code = "", message, hint = "", requestId = "", retryAfter = null }) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }

  /**
   * The error that an answer is.
   * @param {Response} response
   * @param {any} body
   */
  static of(response, body) {
    const error = body?.error ?? {};
    const seconds = Number(response.headers.get("retry-after"));
    return new ApiError({
      status: response.status,
      code: error.code,
      message: error.message ?? `The server answered ${response.status}.`,
      hint: error.innerError?.hint,
      requestId: response.headers.get("request-id") ?? "",
      retryAfter: seconds > 0 ? seconds : null,
    });
  }

  /** The error of a call that nobody answered. */
  static ofSilence() {
    return new ApiError({ code: "Unreachable", message: "The server does not answer." });
  }

  /** Whether the same call may be answered otherwise later. */
  get isPassing() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/** Dispatches `call` after each call, with a {@link Call} as its detail. */
export class Api extends EventTarget {
  #session;

  /** @param {Session} session whose tokens are sent */
  constructor(session) {
    super();
    this.#session = session;
  }

  /**
   * Calls the API; on 401 once more with another token.
   * @param {string} method
   * @param {string} path from `/` on, such as `/v1.0/me/presence`
   * @param {object} [options]
   * @param {any} [options.body] becomes JSON
   * @param {Record<string, string>} [options.headers]
   * @param {boolean} [options.quiet] not for the log
   * @returns {Promise<Answer>}
   * @throws {ApiError} for every answer from 400 on, and when nobody answers
   */
  async call(method, path, { body, headers = {}, quiet = false } = {}) {
    const sent = { ...headers };
    if (body !== undefined) {
      sent["Content-Type"] ??= "application/json";
    }
    const text = body === undefined ? null : JSON.stringify(body);
    const fetched = () => this.#fetch(method, path, { headers: sent, text, quiet });
    let { response, answer } = await fetched();
    if (response.status === 401 && (await this.#session.renew())) {
      ({ response, answer } = await fetched());
    }
    if (response.status >= 400) {
      throw ApiError.of(response, answer);
    }
    return { status: response.status, headers: response.headers, body: answer };
  }

  /**
   * Every element of a list, over all of its pages.
   * @param {string} path
   * @returns {AsyncGenerator<any[]>} page by page
   */
  async *pages(path) {
    let next = path;
    while (next) {
      const { body } = await this.call("GET", next);
      yield body.value;
      next = body["@odata.nextLink"] ? below(body["@odata.nextLink"]) : "";
    }
  }

  /**
   * Follows a stream of events, and goes on where it was when the connection breaks. Returns when `signal` says so.
   * @param {string} path
   * @param {Follower} follower
   * @throws {ApiError} when the server refuses for good, such as for a missing permission
   */
  async stream(path, { onEvent, onState = () => {}, signal }) {
    let [reader, pause, renew] = [new EventReader(), PAUSE_MIN, false];
    while (!signal.aborted) {
      let error = null;
      const isRenewed = renew;
      try {
        if (renew && !(await this.#session.renew())) {
          return;
        }
        renew = false;
        reader = new EventReader(reader.id);
        const response = await this.#open(path, reader.id, signal);
        onState("open", null);
        for await (const event of this.#events(response, reader, signal)) {
          pause = PAUSE_MIN;
          renew ||= event.name === "expired";
          if (event.name !== "expired") {
            onEvent(event.name, JSON.parse(event.data), event.id);
          }
        }
      } catch (caught) {
        error = caught instanceof ApiError ? caught : ApiError.ofSilence();
        // A token that is refused when it has just been renewed is refused for good.
        renew = error.status === 401 && !isRenewed;
        if (!error.isPassing && !renew) {
          throw error;
        }
      }
      if (!signal.aborted && !renew) {
        onState("waiting", error);
        await sleep(Math.max(pause, (error?.retryAfter ?? 0) * 1000), signal);
        pause = Math.min(pause * 2, PAUSE_MAX);
      }
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {{headers: Record<string, string>, text: string | null, quiet: boolean}} options
   */
  async #fetch(method, path, { headers, text, quiet }) {
    const [at, began] = [new Date(), performance.now()];
    let [status, answer] = [0, null];
    try {
      const authorization = { Authorization: `Bearer ${await this.#session.token()}` };
      const response = await fetch(path, {
        method, body: text, headers: { ...headers, ...authorization }, cache: "no-store",
      }).catch(() => { throw ApiError.ofSilence(); });
      status = response.status;
      answer = parsed(await response.text());
      return { response, answer };
    } finally {
      if (!quiet) {
        const milliseconds = Math.round(performance.now() - began);
        this.#log({ at, method, url: urlOf(path), headers, body: text, status, milliseconds, answer });
      }
    }
  }

  /**
   * @param {string} path
   * @param {string} id
   * @param {AbortSignal} signal
   */
  async #open(path, id, signal) {
    const [at, began] = [new Date(), performance.now()];
    /** @type {Record<string, string>} */
    const headers = { Accept: "text/event-stream", ...(id ? { "Last-Event-ID": id } : {}) };
    const authorization = { Authorization: `Bearer ${await this.#session.token()}` };
    const response = await fetch(path, { headers: { ...headers, ...authorization }, cache: "no-store", signal });
    const answer = response.ok ? null : parsed(await response.text());
    const milliseconds = Math.round(performance.now() - began);
    const { status } = response;
    this.#log({ at, method: "GET", url: urlOf(path), headers, body: null, status, milliseconds, answer });
    if (!response.ok) {
      throw ApiError.of(response, answer);
    }
    return response;
  }

  /**
   * The events of one connection; ends also when it has been silent for so long that it must be dead.
   * @param {Response} response
   * @param {EventReader} events
   * @param {AbortSignal} signal
   */
  async *#events(response, events, signal) {
    if (!response.body) {
      return;
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const longest = (this.#session.settings?.streamSilenceSeconds ?? 30) * 1000;
    try {
      while (!signal.aborted) {
        const { done, value } = await within(longest, reader.read());
        if (done) {
          return;
        }
        yield* events.read(value ?? "");
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  /** @param {Call} call */
  #log(call) {
    this.dispatchEvent(new CustomEvent("call", { detail: call }));
  }
}

/**
 * Path and query of a URL that the server made. Its host may be another than the page's, when it stands behind a proxy.
 * @param {string} url
 */
export function below(url) {
  const { pathname, search } = new URL(url, location.origin);
  return pathname + search;
}

/** @param {string} path */
function urlOf(path) {
  return new URL(path, location.origin).href;
}

/** @param {string} text */
function parsed(text) {
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

/**
 * @template T
 * @param {number} milliseconds
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function within(milliseconds, promise) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(ApiError.ofSilence()), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * Waits; not longer than until the machine is back online, or `signal` says so.
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 */
function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      signal.removeEventListener("abort", done);
      resolve(undefined);
    };
    const timer = setTimeout(done, milliseconds);
    addEventListener("online", done);
    signal.addEventListener("abort", done);
  });
}
