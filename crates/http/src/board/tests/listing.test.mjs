// The order of people, held against one that sorts everything anew each time.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Listing } from "../assets/listing.js";
import { groupOf, groups } from "../assets/presence.js";

const AVAILABILITIES = ["Available", "AvailableIdle", "Busy", "BusyIdle", "DoNotDisturb", "BeRightBack", "Away", "Offline"];
const DEPARTMENTS = ["Engineering", "Support", ""];

/** The same numbers each time, from 0 to below `below`. */
function dice(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function crowd(size, roll) {
  return Array.from({ length: size }, (_, n) => ({
    id: `id-${n}`,
    name: `Person ${roll(size)} Ångström`,
    account: `person${n}@example.org`,
    department: DEPARTMENTS[roll(DEPARTMENTS.length)],
    job: n % 2 === 0 ? "Engineer" : "Analyst",
    presence: { availability: AVAILABILITIES[roll(AVAILABILITIES.length)] },
    changedAt: null,
  }));
}

/** Where everybody is in a listing, from its top to its bottom. */
function order(listing) {
  return listing.between(0, listing.height).map(({ entry, position, y }) => [entry.person.id, position, y]);
}

function fresh(people, choice) {
  const listing = new Listing();
  listing.setPeople(people);
  listing.arrange(choice);
  return listing;
}

const CHOICES = [
  { search: "", wanted: new Set(), by: "none" },
  { search: "", wanted: new Set(["Busy", "Away"]), by: "none" },
  { search: "", wanted: new Set(), by: "availability" },
  { search: "angstrom engineer", wanted: new Set(["Available", "Offline"]), by: "department" },
];

test("whoever changes is where a listing that is made anew has them", () => {
  const roll = dice(1);
  for (const choice of CHOICES) {
    const people = crowd(200, roll);
    const listing = fresh(people, choice);
    for (let round = 0; round < 50; round += 1) {
      const changed = new Set();
      for (let changes = roll(8); changes >= 0; changes -= 1) {
        const person = people[roll(people.length)];
        person.presence = { availability: AVAILABILITIES[roll(AVAILABILITIES.length)] };
        changed.add(person.id);
      }
      const before = JSON.stringify(order(listing));
      const hasMoved = listing.move(changed);
      const expected = fresh(people, choice);
      assert.deepEqual(order(listing), order(expected));
      assert.deepEqual([...listing.counts], [...expected.counts]);
      assert.ok(hasMoved || before === JSON.stringify(order(listing)), "it has moved, and does not say so");
    }
  }
});

test("positions, places and people agree", () => {
  const people = crowd(300, dice(2));
  for (const choice of CHOICES) {
    const listing = fresh(people, choice);
    const all = listing.between(0, listing.height);
    assert.equal(all.length, listing.size);
    all.forEach((place, position) => {
      assert.equal(place.position, position);
      assert.deepEqual(listing.at(position), place);
      assert.deepEqual(listing.find(place.entry.person.id), place);
    });
    assert.equal(listing.at(listing.size), null);
    // A stretch is those of all that are on it.
    const [top, bottom] = [listing.height / 3, listing.height / 2];
    const expected = all.filter(({ y }) => y + listing.row > top && y < bottom);
    assert.deepEqual(listing.between(top, bottom), expected);
  }
});

test("sections are in the order of their groups, or of their names with none at the end", () => {
  const people = crowd(100, dice(3));
  const by = (key) => fresh(people, { search: "", wanted: new Set(), by: key }).sections.map(({ words }) => words);
  assert.deepEqual(by("availability"), groups.map(({ words }) => words));
  assert.deepEqual(by("department"), ["Engineering", "Support", "No department"]);
});

test("counts are of those whom the search finds, whatever is filtered", () => {
  const people = crowd(100, dice(4));
  const listing = fresh(people, { search: "analyst", wanted: new Set(["Busy"]), by: "none" });
  for (const { key } of groups) {
    const expected = people.filter(({ job, presence }) => job === "Analyst" && groupOf(presence.availability) === key);
    assert.equal(listing.counts.get(key), expected.length, key);
  }
  assert.equal(listing.size, listing.counts.get("Busy"));
});

test("a change of one in ten thousand costs no more than a moment", () => {
  const roll = dice(5);
  const people = crowd(10_000, roll);
  const listing = fresh(people, { search: "", wanted: new Set(), by: "availability" });
  const began = performance.now();
  const changes = 2000;
  for (let change = 0; change < changes; change += 1) {
    const person = people[roll(people.length)];
    person.presence = { availability: AVAILABILITIES[roll(AVAILABILITIES.length)] };
    listing.move([person.id]);
  }
  const each = (performance.now() - began) / changes;
  // Some 5 µs; to sort ten thousand would take a thousand times as long.
  assert.ok(each < 0.5, `${each} ms`);
});
