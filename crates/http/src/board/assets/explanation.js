/**
 * What an answer of `porchlight.explain` says: which layer decides, and what happens next. It says when a
 * layer fades and when it ends, not what is shown then, and that is not guessed here.
 *
 * @typedef {object} Layer
 * @property {string} kind `hidden`, `preferred`, `session`, `outOfOffice`, `statusMessage`, `manualLocation`,
 *   `automaticLocation`
 * @property {string | null} applicationId of a session, as what follows
 * @property {string | null} sessionId
 * @property {string | null} availability
 * @property {string | null} activity
 * @property {boolean} wins whether it shows
 * @property {string} reason A sentence
 * @property {string | null} setDateTime
 * @property {string | null} nextChangeDateTime when it changes by itself
 * @property {string | null} endDateTime when it ends by itself
 * @property {boolean | null} renewedLate
 *
 * @typedef {object} Explanation
 * @property {string} availability
 * @property {string} activity
 * @property {string} decidedBy `hidden`, `preferred`, `sessions`, `outOfOffice` or `nothing`
 * @property {string} reason A sentence
 * @property {string | null} changedDateTime
 * @property {string | null} stateSinceDateTime
 * @property {string | null} nextChangeDateTime when something that others see changes by itself
 * @property {Layer[]} layers those that decide a pair first
 *
 * @typedef {object} Step
 * @property {number} at in Unix milliseconds
 * @property {Layer} layer
 * @property {"fades" | "ends"} what
 * @property {string} becomes the activity that the layer fades to; empty when it ends
 * @property {boolean} seen whether this is the next change that others see
 */

/** @type {Record<string, string>} */
const NAMES = {
  hidden: "Disabled account",
  preferred: "Preferred presence",
  session: "Session",
  outOfOffice: "Out of office",
  statusMessage: "Status message",
  manualLocation: "Work location, set by hand",
  automaticLocation: "Work location, detected",
};

/**
 * What a layer is called.
 * @param {Layer} layer
 * @returns {string}
 */
export function layerName(layer) {
  return NAMES[layer.kind] ?? layer.kind;
}

/**
 * The layer that decides what is shown as availability and activity, if there is one.
 * @param {Explanation} explanation
 * @returns {Layer | null}
 */
export function decider(explanation) {
  const kind = explanation.decidedBy === "sessions" ? "session" : explanation.decidedBy;
  return explanation.layers.find((layer) => layer.kind === kind && layer.wins) ?? null;
}

/** Layers that are shown beside availability and activity, and change neither. */
const BESIDE = new Set(["statusMessage", "manualLocation", "automaticLocation"]);

/**
 * Until when the shown availability and activity hold. That may be by another layer than the one that decides them: a
 * preferred presence goes with the last session. An available session says nothing of it: it fades unless it is kept
 * alive, which it mostly is.
 * @param {Explanation} explanation
 * @returns {Date | null} null: they do not change by themselves, or it is not worth saying
 */
export function holdsUntil(explanation) {
  const { availability, decidedBy, layers, nextChangeDateTime: next } = explanation;
  if (availability === "Available" && decidedBy === "sessions") {
    return null;
  }
  const isOfPair = layers.some((layer) => layer.nextChangeDateTime === next && !BESIDE.has(layer.kind));
  const at = isOfPair ? next : decider(explanation)?.nextChangeDateTime;
  return at ? new Date(at) : null;
}

/**
 * What happens by itself, the earliest first. An answer names the next fade of a session; the one after it, to away,
 * comes by the limits in force.
 * @param {Explanation} explanation
 * @param {number | null} awayAfter how long after a session was set it is away, in ms; null: not known, or never
 * @returns {Step[]}
 */
export function steps(explanation, awayAfter) {
  const seenAt = time(explanation.nextChangeDateTime);
  const all = explanation.layers.flatMap((layer) => {
    const [next, end] = [time(layer.nextChangeDateTime), time(layer.endDateTime)];
    /** @type {Step[]} */
    const steps = [];
    if (next !== null && next !== end) {
      steps.push({ at: next, layer, what: "fades", becomes: faded(layer), seen: next === seenAt });
      const away = (time(layer.setDateTime) ?? 0) + (awayAfter ?? 0);
      if (layer.activity === "Available" && away > next && away < (end ?? 0)) {
        steps.push({ at: away, layer, what: "fades", becomes: "Away", seen: false });
      }
    }
    if (end !== null) {
      steps.push({ at: end, layer, what: "ends", becomes: "", seen: end === seenAt });
    }
    return steps;
  });
  return all.sort((one, other) => one.at - other.at);
}

/**
 * What a session fades to: only Available ones do, first to inactive and then to away.
 * @param {Layer} layer
 * @returns {string} an activity
 */
function faded(layer) {
  return layer.activity === "Available" ? "AvailableInactive" : "Away";
}

/**
 * Where an instant stands between now and the last one, from 0 to 1. The first minutes are spread out and days
 * drawn together: a session of five minutes and a preference of a week are to be seen side by side.
 * @param {number} at in Unix milliseconds, as what follows
 * @param {number} now
 * @param {number} last
 * @returns {number}
 */
export function place(at, now, last) {
  const spread = (/** @type {number} */ to) => Math.log1p(Math.max(0, to - now) / 60_000);
  const whole = spread(last);
  return whole > 0 ? Math.min(1, spread(at) / whole) : 0;
}

/** Where a scale may have a mark. */
const MARKS = /** @type {[number, string][]} */ ([
  [1, "1 min"], [5, "5 min"], [15, "15 min"], [60, "1 h"], [240, "4 h"], [1440, "1 day"], [10080, "1 week"],
  [43200, "30 days"],
]);

/**
 * The marks of the scale from now to the last instant, far enough from one another and from both ends.
 * @param {number} now in Unix milliseconds
 * @param {number} last
 * @returns {{ place: number, words: string }[]}
 */
export function scale(now, last) {
  /** @type {{ place: number, words: string }[]} */
  const marks = [];
  for (const [minutes, words] of MARKS) {
    const at = place(now + minutes * 60_000, now, last);
    const before = marks.at(-1)?.place ?? 0;
    if (now + minutes * 60_000 < last && at - before >= 0.16 && at <= 0.92) {
      marks.push({ place: at, words });
    }
  }
  return marks;
}

/**
 * @param {string | null} dateTime
 * @returns {number | null} in Unix milliseconds
 */
function time(dateTime) {
  return dateTime === null ? null : Date.parse(dateTime);
}
