/**
 * What is to be said of a subscription: whom it is about, and by its newest attempts how it is.
 *
 * @typedef {object} Attempt As `porchlight.deliveries` has it, oldest first
 * @property {string} time
 * @property {number} attempt
 * @property {number | null} status
 * @property {string | null} error null when all was well
 * @property {number} latencyMs
 * @property {number} items
 *
 * @typedef {object} Health
 * @property {"ok" | "failing" | "never"} state
 * @property {string | null} since when the first of the failures came after which nothing was taken
 * @property {boolean} longer whether it may have begun earlier: all attempts that are known have failed
 * @property {string | null} error of the newest attempt, in words
 */

/** How many attempts the API remembers. */
const REMEMBERED = 20;

/** @type {Record<string, string>} */
const ERRORS = {
  timeout: "no answer in time",
  name: "the host's name is not known",
  address: "an address that this server may not call",
  connection: "no connection",
  tls: "TLS failed, or the certificate is not trusted",
  fault: "a fault made here",
};

/**
 * What was wrong with an attempt.
 * @param {Attempt} attempt
 * @returns {string | null} null when all was well
 */
export function wrong(attempt) {
  if (attempt.error === null) {
    return null;
  }
  return attempt.error === "status" ? `answered ${attempt.status}` : (ERRORS[attempt.error] ?? attempt.error);
}

/**
 * How a subscription is.
 * @param {Attempt[]} attempts
 * @returns {Health}
 */
export function health(attempts) {
  const newest = attempts.at(-1);
  if (!newest || newest.error === null) {
    return { state: newest ? "ok" : "never", since: null, longer: false, error: null };
  }
  const good = attempts.findLastIndex((attempt) => attempt.error === null);
  const longer = good < 0 && attempts.length >= REMEMBERED;
  return { state: "failing", since: attempts[good + 1].time, longer, error: wrong(newest) };
}

/**
 * How long answers take, by the attempts that were answered.
 * @param {Attempt[]} attempts
 * @returns {{ newest: number, median: number, worst: number } | null} in milliseconds; null without an answer
 */
export function latency(attempts) {
  const times = attempts.filter((attempt) => attempt.status !== null).map((attempt) => attempt.latencyMs);
  if (times.length === 0) {
    return null;
  }
  const sorted = [...times].sort((one, other) => one - other);
  const last = times.length - 1;
  return { newest: times[last], median: sorted[last >> 1], worst: sorted[last] };
}

/**
 * The points of a line through values, the first at the left, the largest at the top, as SVG wants them. A
 * single value gives a level line.
 * @param {number[]} values not negative
 * @param {number} width
 * @param {number} height
 * @returns {string}
 */
export function line(values, width, height) {
  const shown = values.length === 1 ? [values[0], values[0]] : values;
  const top = Math.max(1, ...shown);
  const step = width / Math.max(1, shown.length - 1);
  const tenths = (/** @type {number} */ number) => Math.round(number * 10) / 10;
  const point = (/** @type {number} */ value, /** @type {number} */ at) =>
    `${tenths(at * step)},${tenths(height - (value / top) * height)}`;
  return shown.map(point).join(" ");
}

/**
 * Whom a subscription is about.
 * @param {{ resource: string, creatorId: string }} subscription
 * @param {(key: string) => string | null} nameOf the name of a person by id or user principal name, if known
 * @returns {string}
 */
export function subject({ resource, creatorId }, nameOf) {
  const [path, query] = resource.replace(/^\//, "").split("?", 2);
  if (/^communications\/presences\/?$/i.test(path)) {
    return query === undefined ? "Everybody" : (people(decoded(query), nameOf) ?? resource);
  }
  const key = path.match(/^(?:communications\/presences|users)(?:\/|\(')([^/')]+)/i)?.[1] ?? "me";
  const person = /^me$/i.test(key) ? creatorId : decoded(key).toLowerCase();
  return nameOf(person) ?? (person === creatorId ? resource : decoded(key));
}

/**
 * The people of a filter.
 * @param {string} filter
 * @param {(key: string) => string | null} nameOf
 * @returns {string | null} null when it names nobody
 */
function people(filter, nameOf) {
  const ids = filter.match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi) ?? [];
  if (ids.length > 1) {
    return `${ids.length} people`;
  }
  return ids.length === 1 ? (nameOf(ids[0].toLowerCase()) ?? ids[0]) : null;
}

/**
 * A text without its percent signs; as it is, if they mean nothing.
 * @param {string} text
 * @returns {string}
 */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
