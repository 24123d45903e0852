// Server-sent events, in whatever pieces they arrive.

import assert from "node:assert/strict";
import { test } from "node:test";

import { EventReader } from "../assets/events.js";

const STREAM = 'event: snapshot\ndata: {}\n\nevent: presence\ndata: {"id":"ä"}\nid: 7\n\n:\nid: 8\n\n';

const EVENTS = [
  { name: "snapshot", data: "{}", id: "" },
  { name: "presence", data: '{"id":"ä"}', id: "7" },
];

test("a stream is the same in whatever pieces it arrives", () => {
  for (let size = 1; size <= STREAM.length; size += 1) {
    const reader = new EventReader();
    const events = [];
    for (let at = 0; at < STREAM.length; at += size) {
      events.push(...reader.read(STREAM.slice(at, at + size)));
    }
    assert.deepEqual(events, EVENTS, `pieces of ${size}`);
    assert.equal(reader.id, "8", "a comment moves the place, too");
  }
});

test("every kind of line break ends a line, also in two pieces", () => {
  for (const end of ["\n", "\r\n", "\r"]) {
    const text = STREAM.replaceAll("\n", end);
    const reader = new EventReader();
    const events = [...text].flatMap((character) => reader.read(character));
    // A carriage return at the very end may be half of a line break.
    assert.deepEqual([...events, ...reader.read("\n")], EVENTS, JSON.stringify(end));
  }
});

test("several lines of data are one, and what has no data is no event", () => {
  const reader = new EventReader("from before");
  assert.deepEqual(reader.read("data: a\ndata:b\ndata\n\nevent: nothing\n\n"), [
    { name: "message", data: "a\nb\n", id: "from before" },
  ]);
});
