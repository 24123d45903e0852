/**
 * Presence in words, colours and shapes.
 */

import { svg } from "./dom.js";

/**
 * A presence as the API writes it.
 * @typedef {object} Presence
 * @property {string} id
 * @property {string} availability
 * @property {string} activity
 * @property {{message: string | null, isOutOfOffice: boolean} | null} outOfOfficeSettings
 * @property {string | null} sequenceNumber
 * @property {{message: {content: string}, publishedDateTime?: string, expiryDateTime?: any} | null} statusMessage
 * @property {{workLocationType: string, placeId: string | null, source: string} | null} workLocation
 */

/**
 * Some availabilities that are shown as one.
 * @typedef {object} Group
 * @property {string} key
 * @property {string} words
 * @property {string[]} availabilities
 */

/** In the order in which they are shown. @type {readonly Group[]} */
export const groups = [
  { key: "Available", words: "Available", availabilities: ["Available", "AvailableIdle"] },
  { key: "Busy", words: "Busy", availabilities: ["Busy", "BusyIdle"] },
  { key: "DoNotDisturb", words: "Do not disturb", availabilities: ["DoNotDisturb"] },
  { key: "BeRightBack", words: "Be right back", availabilities: ["BeRightBack"] },
  { key: "Away", words: "Away", availabilities: ["Away"] },
  { key: "Offline", words: "Offline", availabilities: ["Offline"] },
  { key: "PresenceUnknown", words: "Unknown", availabilities: ["PresenceUnknown"] },
];

const GROUP_OF = new Map(groups.flatMap((group) => group.availabilities.map((name) => [name, group.key])));

/** @type {Record<string, string>} */
const ACTIVITIES = {
  Available: "Available",
  AvailableInactive: "Available, inactive",
  Away: "Away",
  BeRightBack: "Be right back",
  Busy: "Busy",
  DoNotDisturb: "Do not disturb",
  InACall: "In a call",
  InAConferenceCall: "In a conference call",
  Inactive: "Inactive",
  InAMeeting: "In a meeting",
  Offline: "Offline",
  OffWork: "Off work",
  OutOfOffice: "Out of office",
  PresenceUnknown: "Unknown",
  Presenting: "Presenting",
  UrgentInterruptionsOnly: "Urgent interruptions only",
};

/**
 * The group that an availability is shown with.
 * @param {string | undefined} availability
 * @returns {string} its key
 */
export function groupOf(availability) {
  return GROUP_OF.get(availability ?? "") ?? "PresenceUnknown";
}

/**
 * What somebody is doing, such as "In a call".
 * @param {string | undefined} activity
 */
export function words(activity) {
  return ACTIVITIES[activity ?? ""] ?? spaced(activity ?? "Unknown");
}

/**
 * How reachable somebody is, such as "Do not disturb".
 * @param {string | undefined} availability
 */
export function availabilityWords(availability) {
  if (availability === "AvailableIdle" || availability === "BusyIdle") {
    return `${availability.slice(0, -4)}, idle`;
  }
  return groups.find((group) => group.key === groupOf(availability))?.words ?? "Unknown";
}

/**
 * When a presence became what it is.
 * @param {Presence | null | undefined} presence
 * @returns {Date | null} `null` if it never changed
 */
export function changedAt(presence) {
  const milliseconds = Number(presence?.sequenceNumber?.slice(1) ?? 0);
  return milliseconds > 0 ? new Date(milliseconds) : null;
}

/**
 * Whether somebody is out of office, whatever else they are.
 * @param {Presence | null | undefined} presence
 */
export function isOutOfOffice(presence) {
  return presence?.outOfOfficeSettings?.isOutOfOffice === true || presence?.activity === "OutOfOffice";
}

/**
 * A shape: a disc or a ring, and a mark on it. Each kind has one of its own, so that colour is not the only sign.
 * @type {Record<string, {ring: boolean, mark: string}>}
 */
const SHAPES = {
  available: { ring: false, mark: "M4.6 8.3 7 10.6 11.4 5.7" },
  "available-idle": { ring: true, mark: "M5 8.2 7.1 10.2 11 5.9" },
  busy: { ring: false, mark: "" },
  "busy-idle": { ring: true, mark: "" },
  "do-not-disturb": { ring: false, mark: "M4.6 8H11.4" },
  away: { ring: false, mark: "M8 4.2V8.4L10.8 10.2" },
  offline: { ring: true, mark: "M5.6 5.6 10.4 10.4M10.4 5.6 5.6 10.4" },
  unknown: { ring: true, mark: "M8 8H8.01" },
  "out-of-office": { ring: true, mark: "M11 8H5.2M7.6 5.4 5 8 7.6 10.6" },
};

/** @type {Record<string, string>} */
const KINDS = {
  Available: "available",
  AvailableIdle: "available-idle",
  Busy: "busy",
  BusyIdle: "busy-idle",
  DoNotDisturb: "do-not-disturb",
  BeRightBack: "away",
  Away: "away",
  Offline: "offline",
};

/**
 * The dot of a presence, for eyes alone: the words beside it say the same.
 * @param {string | undefined} availability
 * @param {boolean} [outOfOffice] shown when nothing says that they can be reached all the same
 * @returns {SVGElement}
 */
export function dot(availability, outOfOffice = false) {
  const disc = svg("circle", { cx: 8, cy: 8, class: "dot-disc" });
  const drawn = svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, disc, svg("path", { class: "dot-mark" }));
  paint(drawn, availability, outOfOffice);
  return drawn;
}

/**
 * Makes a dot that of another presence.
 * @param {SVGElement} drawn made by {@link dot}
 * @param {string | undefined} availability
 * @param {boolean} [outOfOffice]
 */
export function paint(drawn, availability, outOfOffice = false) {
  const isAbsent = ["Away", "Offline", undefined].includes(availability);
  const kind = outOfOffice && isAbsent ? "out-of-office" : KINDS[availability ?? ""] ?? "unknown";
  if (drawn.dataset.kind === kind) {
    return;
  }
  const { ring, mark } = SHAPES[kind];
  drawn.dataset.kind = kind;
  drawn.setAttribute("class", `dot dot-${kind}${ring ? " dot-ring" : ""}`);
  drawn.firstElementChild?.setAttribute("r", ring ? "6.6" : "7.7");
  drawn.lastElementChild?.setAttribute("d", mark);
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/**
 * How long ago something was, such as "4 minutes ago".
 * @param {Date | null | undefined} from
 * @param {Date} now
 * @returns {string} nothing if it never was
 */
export function since(from, now) {
  if (!from) {
    return "";
  }
  const passed = now.getTime() - from.getTime();
  if (passed < MINUTE) {
    return "just now";
  }
  if (passed < HOUR) {
    return `${counted(Math.floor(passed / MINUTE), "minute")} ago`;
  }
  if (passed < DAY) {
    return `${counted(Math.floor(passed / HOUR), "hour")} ago`;
  }
  return passed < 7 * DAY ? `${counted(Math.floor(passed / DAY), "day")} ago` : `on ${date(from, now)}`;
}

/**
 * When something ends, such as "until 14:30" or "until tomorrow 09:00".
 * @param {Date | null | undefined} to
 * @param {Date} now
 * @returns {string} nothing if it does not end
 */
export function until(to, now) {
  return to ? `until ${moment(to, now)}` : "";
}

/**
 * An instant as people name it: "14:30", "tomorrow 09:00", "Thursday 09:00", "3 Dec 09:00".
 * @param {Date} at
 * @param {Date} now
 */
export function moment(at, now) {
  const time = `${digits(at.getHours())}:${digits(at.getMinutes())}`;
  const days = Math.round((midnight(at) - midnight(now)) / DAY);
  if (days === 0) {
    return time;
  }
  if (days === 1 || days === -1) {
    return `${days === 1 ? "tomorrow" : "yesterday"} ${time}`;
  }
  return `${days > 1 && days < 7 ? DAYS[at.getDay()] : date(at, now)} ${time}`;
}

/**
 * @param {Date} at
 * @param {Date} now
 */
function date(at, now) {
  const year = at.getFullYear() === now.getFullYear() ? "" : ` ${at.getFullYear()}`;
  return `${at.getDate()} ${MONTHS[at.getMonth()]}${year}`;
}

/** @param {Date} at */
function midnight(at) {
  return new Date(at.getFullYear(), at.getMonth(), at.getDate()).getTime();
}

/**
 * @param {number} number
 * @param {string} noun
 */
function counted(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** @param {number} number */
function digits(number) {
  return String(number).padStart(2, "0");
}

/** @param {string} name */
function spaced(name) {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, " ");
}
