// What is asked and answered, as JSON schemas that Fastify compiles; and what somebody's presence is.

const GUID = { type: "string", pattern: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" };

const nullable = (type) => ({ type: [type, "null"] });

// The pairs that a session may have, the strongest first.
const PAIRS = [
  ["DoNotDisturb", "Presenting"],
  ["Busy", "InACall"],
  ["Busy", "InAConferenceCall"],
  ["Available", "Available"],
  ["Away", "Away"],
];

const STRENGTH = new Map(PAIRS.map(([, activity], index) => [activity, PAIRS.length - index]));

const DURATION = /^PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?$/;
const DURATION_MIN_MS = 5 * 60_000;
const DURATION_MAX_MS = 4 * 60 * 60_000;

export const USER = { type: "object", required: ["id"], properties: { id: GUID } };

export const SET_PRESENCE = {
  type: "object",
  required: ["sessionId", "availability", "activity"],
  properties: {
    sessionId: GUID,
    availability: { type: "string" },
    activity: { type: "string" },
    expirationDuration: { type: "string", pattern: DURATION.source },
  },
  anyOf: PAIRS.map(([availability, activity]) => ({
    properties: { availability: { const: availability }, activity: { const: activity } },
  })),
};

export const IDS = {
  type: "object",
  required: ["ids"],
  properties: { ids: { type: "array", minItems: 1, maxItems: 650, items: GUID } },
};

const MEMBERS = {
  id: { type: "string" },
  availability: { type: "string" },
  activity: { type: "string" },
  outOfOfficeSettings: {
    type: "object",
    properties: { message: nullable("string"), isOutOfOffice: { type: "boolean" } },
  },
  sequenceNumber: { type: "string" },
  statusMessage: nullable("string"),
  workLocation: nullable("string"),
};

export const PRESENCE = { type: "object", properties: { "@odata.context": { type: "string" }, ...MEMBERS } };

export const PRESENCES = {
  type: "object",
  properties: {
    "@odata.context": { type: "string" },
    value: { type: "array", items: { type: "object", properties: MEMBERS } },
  },
};

// The session that somebody asks for, from now on; nothing for one that is too short or too long.
export function sessionOf({ availability, activity, expirationDuration = "PT5M" }, now) {
  const [, hours = 0, minutes = 0, seconds = 0] = DURATION.exec(expirationDuration);
  const duration = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  if (duration < DURATION_MIN_MS || duration > DURATION_MAX_MS) return undefined;
  return { availability, activity, since: now, until: now + duration };
}

// What others see of somebody with these sessions.
export function view(id, sessions, now) {
  let shown;
  let since = 0;
  for (const session of sessions) {
    if (session.until <= now) continue;
    since = Math.max(since, session.since);
    if (!shown || STRENGTH.get(session.activity) > STRENGTH.get(shown.activity)) shown = session;
  }
  return {
    id,
    availability: shown?.availability ?? "Offline",
    activity: shown?.activity ?? "Offline",
    outOfOfficeSettings: { message: null, isOutOfOffice: false },
    sequenceNumber: `A${String(since).padStart(14, "0")}`,
    statusMessage: null,
    workLocation: null,
  };
}
