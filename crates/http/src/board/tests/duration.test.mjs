import assert from "node:assert/strict";
import { test } from "node:test";

import { MESSAGE, PRESENCE, inWords, iso, midnight, ofIso, sunday, wallClock } from "../assets/duration.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Does it where the clocks on the wall are those of `zone`. */
function inZone(zone, act) {
  process.env.TZ = zone;
  act();
}

test("lengths_are_written_by_iso_8601_and_never_as_nothing", () => {
  const table = [
    [30 * MINUTE, "PT30M"], [HOUR, "PT1H"], [90 * MINUTE, "PT1H30M"], [500, "PT0.5S"], [61_001, "PT1M1.001S"],
    [2 * DAY, "PT48H"], [0.2, "PT0.001S"], [-5, "PT0.001S"],
  ];
  for (const [length, text] of table) {
    assert.equal(iso(length), text);
  }
});

test("lengths_of_the_api_are_read", () => {
  const table = [
    ["PT10M", 10 * MINUTE], ["P1DT2H0.5S", DAY + 2 * HOUR + 500], ["PT0S", 0], ["P7D", 7 * DAY],
    ["", null], ["x", null],
  ];
  for (const [text, length] of table) {
    assert.equal(ofIso(text), length, text);
  }
});

test("lengths_read_in_two_units_at_most", () => {
  const table = [
    [-5, "0 s"], [0, "0 s"], [999, "1 s"], [59_400, "59 s"], [59_600, "1 min"], [250_000, "4 min 10 s"],
    [10 * MINUTE + 5_000, "10 min"], [80 * MINUTE, "1 h 20 min"], [2 * HOUR, "2 h"], [DAY, "1 day"],
    [DAY + 5 * HOUR + MINUTE, "1 day 5 h"], [3 * DAY, "3 days"], [8 * DAY + 5 * HOUR, "8 days"],
  ];
  for (const [length, text] of table) {
    assert.equal(inWords(length), text);
  }
});

test("today_ends_at_midnight_on_the_wall_also_when_the_clocks_are_changed", () => {
  inZone("Europe/Berlin", () => {
    const evening = new Date("2027-01-15T22:30:00Z");
    assert.equal(midnight(evening).toISOString(), "2027-01-15T23:00:00.000Z");
    const springs = new Date("2027-03-27T23:30:00Z");
    assert.equal(midnight(springs).getTime() - springs.getTime(), 22.5 * HOUR);
  });
  inZone("America/Los_Angeles", () => {
    assert.equal(midnight(new Date("2027-01-15T07:00:00Z")).toISOString(), "2027-01-15T08:00:00.000Z");
  });
});

test("the_week_ends_when_sunday_does", () => {
  inZone("UTC", () => {
    const end = (day) => sunday(new Date(`${day}T12:00:00Z`)).toISOString().slice(0, 10);
    const days = ["2027-01-15", "2027-01-17", "2027-01-18"];
    assert.deepEqual(days.map(end), ["2027-01-18", "2027-01-18", "2027-01-25"]);
  });
});

test("a_clock_on_the_wall_is_written_without_a_zone", () => {
  inZone("Asia/Kolkata", () => {
    assert.equal(wallClock(new Date("2027-01-05T03:04:05Z")), "2027-01-05T08:34:05");
  });
});

test("every_choice_ends_later_or_not_by_itself", () => {
  const now = new Date("2027-01-15T12:00:00Z");
  for (const choices of [PRESENCE, MESSAGE]) {
    const ends = choices.map((choice) => choice.end(now));
    assert.equal(ends.filter((end) => end === null).length, 1);
    assert.ok(ends.every((end) => end === null || end > now));
    assert.equal(new Set(choices.map((choice) => choice.value)).size, choices.length);
  }
});
