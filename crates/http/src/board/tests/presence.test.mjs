// Presence in words.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  availabilityWords, changedAt, groupOf, isOutOfOffice, moment, since, until, words,
} from "../assets/presence.js";

const NOW = new Date(2026, 10, 20, 14, 30, 15);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const later = (milliseconds) => new Date(NOW.getTime() + milliseconds);

test("activities and availabilities have words, also those that nobody knows yet", () => {
  assert.equal(words("InACall"), "In a call");
  assert.equal(words("UrgentInterruptionsOnly"), "Urgent interruptions only");
  assert.equal(words("OnTheRoof"), "On The Roof");
  assert.equal(availabilityWords("DoNotDisturb"), "Do not disturb");
  assert.equal(availabilityWords("BusyIdle"), "Busy, idle");
  assert.equal(availabilityWords(undefined), "Unknown");
});

test("idle is shown with what it is idle of", () => {
  assert.deepEqual(["AvailableIdle", "BusyIdle", "Away", "Nonsense", undefined].map(groupOf),
    ["Available", "Busy", "Away", "PresenceUnknown", "PresenceUnknown"]);
});

test("a sequence number is the instant of the last change", () => {
  assert.equal(changedAt({ sequenceNumber: "A01763629200123" })?.getTime(), 1_763_629_200_123);
  assert.equal(changedAt({ sequenceNumber: "A00000000000000" }), null, "nothing has ever changed");
  assert.equal(changedAt(null), null);
});

test("out of office is said by the settings, or by the activity", () => {
  assert.equal(isOutOfOffice({ activity: "Busy", outOfOfficeSettings: { isOutOfOffice: true } }), true);
  assert.equal(isOutOfOffice({ activity: "OutOfOffice", outOfOfficeSettings: null }), true);
  assert.equal(isOutOfOffice({ activity: "Away", outOfOfficeSettings: { isOutOfOffice: false } }), false);
  assert.equal(isOutOfOffice(null), false);
});

test("how long ago", () => {
  const table = [
    [0, "just now"], [59 * SECOND, "just now"], [MINUTE, "1 minute ago"], [4 * MINUTE, "4 minutes ago"],
    [HOUR, "1 hour ago"], [23 * HOUR, "23 hours ago"], [DAY, "1 day ago"], [6 * DAY, "6 days ago"],
    [8 * DAY, "on 12 Nov"], [400 * DAY, "on 16 Oct 2025"], [-5 * SECOND, "just now"],
  ];
  for (const [ago, expected] of table) {
    assert.equal(since(later(-ago), NOW), expected);
  }
  assert.equal(since(null, NOW), "");
});

test("until when", () => {
  assert.equal(until(new Date(2026, 10, 20, 9, 5), NOW), "until 09:05");
  assert.equal(until(new Date(2026, 10, 21, 9, 0), NOW), "until tomorrow 09:00");
  assert.equal(until(new Date(2026, 10, 26, 23, 59), NOW), "until Thursday 23:59");
  assert.equal(until(new Date(2026, 10, 27, 0, 0), NOW), "until 27 Nov 00:00");
  assert.equal(until(new Date(2027, 0, 3, 8, 0), NOW), "until 3 Jan 2027 08:00");
  assert.equal(until(null, NOW), "");
  assert.equal(moment(new Date(2026, 10, 19, 8, 0), NOW), "yesterday 08:00");
});
