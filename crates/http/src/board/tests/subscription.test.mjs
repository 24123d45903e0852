import assert from "node:assert/strict";
import { test } from "node:test";

import { health, latency, line, subject, wrong } from "../assets/subscription.js";

/** Attempts a minute apart: a number is an answer's status, a text an error without an answer. */
function attempts(...outcomes) {
  return outcomes.map((outcome, at) => {
    const status = typeof outcome === "number" ? outcome : null;
    const error = status === null ? outcome : status < 300 ? null : "status";
    const time = `2027-01-15T12:${String(at).padStart(2, "0")}:00.0000000Z`;
    return { time, attempt: 1, status, error, latencyMs: 10 * (at + 1), items: 1 };
  });
}

test("health_is_that_of_the_newest_attempt_and_failing_since_the_last_success", () => {
  assert.equal(health([]).state, "never");
  assert.deepEqual(health(attempts(500, 202)), { state: "ok", since: null, longer: false, error: null });
  const failing = health(attempts(500, 202, 500, "timeout"));
  assert.deepEqual(failing, {
    state: "failing", since: "2027-01-15T12:02:00.0000000Z", longer: false, error: "no answer in time",
  });
});

test("who_has_failed_for_as_long_as_is_remembered_may_have_failed_for_longer", () => {
  const all = Array.from({ length: 20 }, () => 503);
  assert.equal(health(attempts(...all)).longer, true);
  assert.equal(health(attempts(...all.slice(1))).longer, false);
  assert.equal(health(attempts(202, ...all.slice(1))).longer, false);
});

test("what_was_wrong_is_said_in_words", () => {
  const words = attempts(202, 404, "tls", "connection", "somethingNew").map(wrong);
  const tls = "TLS failed, or the certificate is not trusted";
  assert.deepEqual(words, [null, "answered 404", tls, "no connection", "somethingNew"]);
});

test("latency_counts_answers_alone", () => {
  assert.equal(latency(attempts("timeout")), null);
  assert.deepEqual(latency(attempts(202)), { newest: 10, median: 10, worst: 10 });
  assert.deepEqual(latency(attempts(202, 500, 202, "timeout")), { newest: 30, median: 20, worst: 30 });
});

test("a_line_has_the_largest_value_at_the_top", () => {
  assert.equal(line([0, 10, 5], 40, 10), "0,10 20,0 40,5");
  assert.equal(line([7], 40, 10), "0,0 40,0");
  assert.equal(line([0, 0], 40, 10), "0,10 40,10");
});

test("a_subject_is_named_by_whatever_spelling_it_was_subscribed_to", () => {
  const [ada, ben] = ["8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01", "3c5e0a44-0d0f-4d4b-a7f7-6f0a5b1f2b02"];
  const names = { [ada]: "Ada Lovelace", "ben@porchlight.example": "Ben Okafor" };
  const of = (resource) => subject({ resource, creatorId: ada }, (key) => names[key] ?? null);
  const table = [
    ["communications/presences", "Everybody"],
    ["/communications/presences/", "Everybody"],
    [`communications/presences/${ada.toUpperCase()}`, "Ada Lovelace"],
    [`communications/presences('${ada}')`, "Ada Lovelace"],
    [`communications/presences?$filter=id in ('${ada}')`, "Ada Lovelace"],
    [`communications/presences?%24filter=id%20in%20(%27${ada}%27,%27${ben}%27)`, "2 people"],
    [`communications/presences/${ben}`, ben],
    ["users/ben%40porchlight.example/presence", "Ben Okafor"],
    ["users/Zoe@porchlight.example/presence", "Zoe@porchlight.example"],
    ["me/presence", "Ada Lovelace"],
    ["users/me/presence", "Ada Lovelace"],
    ["communications/presences?$filter=%", "communications/presences?$filter=%"],
  ];
  for (const [resource, words] of table) {
    assert.equal(of(resource), words);
  }
  assert.equal(subject({ resource: "me/presence", creatorId: ben }, () => null), "me/presence");
});
