import assert from "node:assert/strict";
import { test } from "node:test";

import { decider, holdsUntil, place, scale, steps } from "../assets/explanation.js";

const NOW = Date.parse("2027-01-15T12:00:00Z");
const MINUTE = 60_000;

/** The time so many minutes from now, as the API writes it. */
const at = (minutes) => new Date(NOW + minutes * MINUTE).toISOString().replace("Z", "0000Z");

function layer(kind, more) {
  return {
    kind, applicationId: null, sessionId: null, availability: null, activity: null, wins: false, reason: "",
    setDateTime: null, nextChangeDateTime: null, endDateTime: null, renewedLate: null, ...more,
  };
}

function session(activity, next, end, wins) {
  const availability = activity.startsWith("Available") ? "Available" : activity;
  const times = { nextChangeDateTime: at(next), endDateTime: at(end) };
  return layer("session", { availability, activity, wins, ...times });
}

function explanation(decidedBy, nextChange, layers) {
  const nextChangeDateTime = nextChange === null ? null : at(nextChange);
  return {
    availability: "Available", activity: "Available", decidedBy, reason: "", changedDateTime: null,
    stateSinceDateTime: null, nextChangeDateTime, layers,
  };
}

test("the_layer_that_decides_is_found_among_all_that_show", () => {
  const strongest = session("Available", 5, 60, true);
  const weaker = session("Away", 30, 30, false);
  const message = layer("statusMessage", { wins: true, endDateTime: at(3), nextChangeDateTime: at(3) });
  const away = layer("outOfOffice", { wins: true });
  const layers = [strongest, weaker, away, message];
  assert.equal(decider(explanation("sessions", 3, layers)), strongest);
  assert.equal(decider(explanation("outOfOffice", 3, layers)), away);
  assert.equal(decider(explanation("nothing", null, [layer("preferred", {})])), null);
});

test("what_is_shown_holds_until_a_layer_of_it_changes_and_not_until_what_is_beside_it_does", () => {
  const minutes = (decidedBy, nextChange, layers, availability = "Busy") => {
    const until = holdsUntil({ ...explanation(decidedBy, nextChange, layers), availability });
    return until && (until.getTime() - NOW) / MINUTE;
  };
  const ends = (kind, minutes) => layer(kind, { wins: true, endDateTime: at(minutes), nextChangeDateTime: at(minutes) });
  const busy = session("Busy", 60, 60, true);
  const preferred = ends("preferred", 480);
  const message = ends("statusMessage", 3);
  assert.equal(minutes("sessions", 60, [busy]), 60);
  assert.equal(minutes("sessions", 3, [busy, message]), 60);
  assert.equal(minutes("preferred", 60, [preferred, busy]), 60, "a preferred presence goes with the last session");
  assert.equal(minutes("preferred", 3, [preferred, message]), 480);
  assert.equal(minutes("nothing", 3, [ends("manualLocation", 3)], "Offline"), null);
  assert.equal(minutes("outOfOffice", 3, [layer("outOfOffice", { wins: true }), message]), null);
  assert.equal(minutes("sessions", 5, [session("Available", 5, 60, true)], "Available"), null, "it is kept alive");
});

test("steps_come_in_their_order_and_the_one_that_others_see_is_marked", () => {
  const available = session("Available", 5, 60, false);
  const inactive = session("AvailableInactive", 2, 20, false);
  const preferred = layer("preferred", { wins: true, nextChangeDateTime: at(30), endDateTime: at(30) });
  const lasting = layer("outOfOffice", { wins: true });
  const all = steps(explanation("preferred", 30, [preferred, available, inactive, lasting]), null);
  assert.deepEqual(
    all.map((step) => [(step.at - NOW) / MINUTE, step.layer, step.what, step.becomes, step.seen]),
    [
      [2, inactive, "fades", "Away", false],
      [5, available, "fades", "AvailableInactive", false],
      [20, inactive, "ends", "", false],
      [30, preferred, "ends", "", true],
      [60, available, "ends", "", false],
    ],
  );
});

test("the_second_fade_comes_by_the_limits_if_the_session_lives_for_so_long", () => {
  const set = (activity, next, end) => ({ ...session(activity, next, end, true), setDateTime: at(-1) });
  const fades = (of, awayAfter) => (
    steps(explanation("sessions", 5, [of]), awayAfter).filter(({ what }) => what === "fades")
      .map((step) => [(step.at - NOW) / MINUTE, step.becomes])
  );
  assert.deepEqual(fades(set("Available", 5, 60), 11 * MINUTE), [[5, "AvailableInactive"], [10, "Away"]]);
  assert.deepEqual(fades(set("Available", 5, 60), null), [[5, "AvailableInactive"]]);
  assert.deepEqual(fades(set("Available", 5, 10), 11 * MINUTE), [[5, "AvailableInactive"]]);
  assert.deepEqual(fades(set("AvailableInactive", 5, 60), 11 * MINUTE), [[5, "Away"]]);
  assert.deepEqual(fades(set("Busy", 60, 60), 11 * MINUTE), []);
});

test("places_keep_their_order_and_spread_the_first_minutes", () => {
  const last = NOW + 7 * 24 * 60 * MINUTE;
  const minutes = [-1, 0, 1, 5, 60, 24 * 60, 7 * 24 * 60, 8 * 24 * 60];
  const places = minutes.map((number) => place(NOW + number * MINUTE, NOW, last));
  assert.deepEqual(places.slice(0, 2), [0, 0]);
  assert.deepEqual(places.slice(-2), [1, 1]);
  assert.ok(places[2] > 0.05 && places[3] > places[2] && places[4] > places[3] && places[5] > places[4]);
  assert.equal(place(NOW, NOW, NOW), 0);
});

test("marks_of_the_scale_stand_apart_and_before_the_end", () => {
  for (const minutes of [0.1, 4, 5, 30, 240, 24 * 60, 365 * 24 * 60]) {
    const marks = scale(NOW, NOW + minutes * MINUTE);
    const places = [0, ...marks.map((mark) => mark.place)];
    assert.ok(places.every((one, at) => at === 0 || one - places[at - 1] >= 0.16), `${minutes}`);
    assert.ok(places.every((one) => one <= 0.92), `${minutes}`);
  }
  assert.deepEqual(scale(NOW, NOW + 30 * MINUTE).map((mark) => mark.words), ["1 min", "5 min", "15 min"]);
});
