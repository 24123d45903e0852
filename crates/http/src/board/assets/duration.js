/**
 * Lengths of time: what can be picked for a presence and for a status message, how the API wants to read it,
 * and how people do.
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * @typedef {object} Choice
 * @property {string} value what stands for it in a form
 * @property {string} words
 * @property {(now: Date) => Date | null} end when that is over; null: not by itself
 */

/** @param {number} length in milliseconds. */
const after = (length) => (/** @type {Date} */ now) => new Date(now.getTime() + length);

const never = () => null;

/**
 * How long a presence holds.
 * @type {Choice[]}
 */
export const PRESENCE = [
  { value: "30m", words: "30 minutes", end: after(30 * MINUTE) },
  { value: "1h", words: "1 hour", end: after(HOUR) },
  { value: "2h", words: "2 hours", end: after(2 * HOUR) },
  { value: "today", words: "today", end: midnight },
  { value: "never", words: "until I change it", end: never },
];

/**
 * When a status message clears itself.
 * @type {Choice[]}
 */
export const MESSAGE = [
  { value: "never", words: "never", end: never },
  { value: "30m", words: "30 minutes", end: after(30 * MINUTE) },
  { value: "1h", words: "1 hour", end: after(HOUR) },
  { value: "4h", words: "4 hours", end: after(4 * HOUR) },
  { value: "today", words: "today", end: midnight },
  { value: "week", words: "this week", end: sunday },
];

/** The longest life that the API gives a preferred presence. */
export const LONGEST = "P365D";

/**
 * The next midnight in the zone of this browser.
 * @param {Date} now
 * @returns {Date}
 */
export function midnight(now) {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1);
}

/**
 * The end of the week, which begins on Monday, in the zone of this browser.
 * @param {Date} now
 * @returns {Date}
 */
export function sunday(now) {
  const daysLeft = (7 - now.getDay()) % 7;
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + daysLeft + 1);
}

/**
 * A length of time by ISO 8601, to the millisecond; at least one.
 * @param {number} length in milliseconds
 * @returns {string} such as `PT1H30M` or `PT0.5S`
 */
export function iso(length) {
  const whole = Math.max(1, Math.round(length));
  const hours = Math.floor(whole / HOUR);
  const minutes = Math.floor((whole % HOUR) / MINUTE);
  const seconds = (whole % MINUTE) / SECOND;
  return `PT${hours ? `${hours}H` : ""}${minutes ? `${minutes}M` : ""}${seconds ? `${seconds}S` : ""}`;
}

/**
 * The length of time that a text of the API says.
 * @param {string} text by ISO 8601, without years and months
 * @returns {number | null} in milliseconds; null if it is none
 */
export function ofIso(text) {
  const found = text.match(/^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?$/);
  const units = [DAY, HOUR, MINUTE, SECOND];
  return found && units.reduce((sum, unit, at) => sum + Number(found[at + 1] ?? 0) * unit, 0);
}

/**
 * An instant as a clock on the wall of this browser's zone shows it: what the API wants beside a zone's name.
 * @param {Date} at
 * @returns {string} such as `2027-01-15T17:00:00`
 */
export function wallClock(at) {
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  return `${date}T${[two(at.getHours()), two(at.getMinutes()), two(at.getSeconds())].join(":")}`;
}

/**
 * A length of time for people: the two largest units at most, and no seconds from ten minutes on.
 * @param {number} length in milliseconds; what is negative reads as nothing
 * @returns {string} such as `4 min 10 s`, `1 h 20 min` or `3 days`
 */
export function inWords(length) {
  const whole = Math.max(0, Math.round(length / SECOND)) * SECOND;
  if (whole < 10 * MINUTE) {
    return joined([[Math.floor(whole / MINUTE), "min"], [(whole % MINUTE) / SECOND, "s"]]);
  }
  if (whole < DAY) {
    return joined([[Math.floor(whole / HOUR), "h"], [Math.floor((whole % HOUR) / MINUTE), "min"]]);
  }
  const days = Math.floor(whole / DAY);
  const hours = days < 7 ? Math.floor((whole % DAY) / HOUR) : 0;
  return joined([[days, days === 1 ? "day" : "days"], [hours, "h"]]);
}

/**
 * @param {[number, string][]} parts
 * @returns {string}
 */
function joined(parts) {
  const words = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`);
  return words.length > 0 ? words.join(" ") : "0 s";
}
