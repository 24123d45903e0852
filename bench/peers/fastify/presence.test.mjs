// Run by `node --test`, and by the benchmark's own tests. Needs no package.

import assert from "node:assert/strict";
import { test } from "node:test";

import { sessionOf, view } from "./presence.mjs";

const NOW = 1_790_000_000_000;

const session = (availability, activity, duration) =>
  sessionOf({ availability, activity, expirationDuration: duration }, NOW);

test("the strongest session is shown", () => {
  const sessions = [session("Away", "Away"), session("Busy", "InACall"), session("Available", "Available")];
  const shown = view("a", sessions, NOW);
  assert.equal(shown.activity, "InACall");
  assert.equal(shown.sequenceNumber, "A01790000000000");
});

test("a session that has ended shows nothing", () => {
  const sessions = [session("Busy", "InACall", "PT5M"), session("Away", "Away", "PT1H30M")];
  assert.equal(view("a", sessions, NOW + 5 * 60_000).availability, "Away");
  assert.equal(view("a", sessions, NOW + 90 * 60_000).availability, "Offline");
});

test("a session lasts from five minutes to four hours", () => {
  for (const duration of ["PT4M59S", "PT4H1S"]) {
    assert.equal(session("Away", "Away", duration), undefined, duration);
  }
  for (const duration of ["PT300S", "PT4H"]) assert.ok(session("Away", "Away", duration), duration);
});
