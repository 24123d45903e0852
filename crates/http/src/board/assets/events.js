/**
 * Server-sent events: from the pieces in which they arrive to whole events. Source: WHATWG HTML 9.2.6.
 *
 * EventSource does this too, but cannot send a token.
 */

/**
 * @typedef {object} ServerEvent
 * @property {string} name `message` if the server gave none
 * @property {string} data
 * @property {string} id the last id that the server has given, also with an earlier event
 */

/** Reads one stream; made anew for each connection. */
export class EventReader {
  #rest = "";
  #name = "";
  /** @type {string[]} */
  #data = [];
  #id;

  /** @param {string} [id] the last id of the connection before */
  constructor(id = "") {
    this.#id = id;
  }

  /** The last id that the server has given: what `Last-Event-ID` says when coming back. */
  get id() {
    return this.#id;
  }

  /**
   * The events that this piece of text completes.
   * @param {string} text
   * @returns {ServerEvent[]}
   */
  read(text) {
    const all = this.#rest + text;
    // What may be the first half of a line break waits for the second.
    const until = all.endsWith("\r") ? all.length - 1 : all.length;
    const lines = all.slice(0, until).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() + all.slice(until);
    const events = [];
    for (const line of lines) {
      const event = this.#line(line);
      if (event) {
        events.push(event);
      }
    }
    return events;
  }

  /**
   * @param {string} line
   * @returns {ServerEvent | null}
   */
  #line(line) {
    if (line === "") {
      return this.#end();
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "data") {
      this.#data.push(value);
    } else if (field === "event") {
      this.#name = value;
    } else if (field === "id" && !value.includes("\0")) {
      this.#id = value;
    }
    return null;
  }

  /** @returns {ServerEvent | null} */
  #end() {
    const event = { name: this.#name || "message", data: this.#data.join("\n"), id: this.#id };
    const isOne = this.#data.length > 0;
    this.#name = "";
    this.#data = [];
    return isOne ? event : null;
  }
}
