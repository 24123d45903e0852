/**
 * In which order people are listed, and where on the page each of them is: without the page, and in few steps when
 * one of ten thousand changes.
 *
 * Everybody has a rank by name, which changes only with the directory. A section holds its entries by rank, so whoever
 * changes sections is found by bisection; nothing is sorted again.
 */

import { groupOf, groups } from "./presence.js";

/** @typedef {import("./people.js").Person} Person */

/**
 * What is to be listed, and how.
 * @typedef {object} Choice
 * @property {string} search words that all have to be found
 * @property {Set<string>} wanted keys of groups; none: all of them
 * @property {"none" | "availability" | "department"} by
 */

/**
 * @typedef {object} Entry
 * @property {Person} person
 * @property {number} rank by name
 * @property {string} text what is searched
 * @property {string | null} counted the group that it counts for; `null` if the search does not find it
 * @property {Section | null} section `null` if it is not listed
 */

/**
 * @typedef {object} Section
 * @property {string} key
 * @property {string} words nothing for one without a heading
 * @property {Entry[]} entries by rank
 * @property {number} first how many are listed before it
 * @property {number} top in px from the top of the list
 * @property {number} height
 */

/** Where an entry is. @typedef {{entry: Entry, position: number, y: number}} Place */

const collator = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

/** People in order. */
export class Listing {
  /** @type {Map<string, Entry>} */
  #entries = new Map();
  /** @type {Entry[]} */
  #ranked = [];
  /** @type {Map<string, Section>} */
  #byKey = new Map();
  /** @type {Choice} */
  #choice = { search: "", wanted: new Set(), by: "none" };
  /** @type {string[]} */
  #sought = [];

  /** How high a row is, in px. */
  row = 64;
  /** How high a heading is, in px. */
  heading = 44;
  /** In their order; may be empty ones among them. @type {Section[]} */
  sections = [];
  /** How many of those whom the search finds are in each group. @type {Map<string, number>} */
  counts = new Map();
  /** How many are listed. */
  size = 0;
  /** Of all, in px. */
  height = 0;

  /** How many there are, listed or not. */
  get everybody() {
    return this.#ranked.length;
  }

  /**
   * Who there is; {@link arrange} comes next.
   * @param {Iterable<Person>} people
   */
  setPeople(people) {
    const ranked = [...people].map((person) => ({
      person, rank: 0, text: plain(`${person.name} ${person.account} ${person.job} ${person.department}`),
      counted: null, section: null,
    }));
    ranked.sort((a, b) => collator.compare(a.person.name, b.person.name) || (a.person.id < b.person.id ? -1 : 1));
    ranked.forEach((entry, rank) => { entry.rank = rank; });
    this.#ranked = ranked;
    this.#entries = new Map(ranked.map((entry) => [entry.person.id, entry]));
  }

  /**
   * How high rows and headings are, in px.
   * @param {number} row
   * @param {number} heading
   */
  measure(row, heading) {
    [this.row, this.heading] = [row, heading];
    this.#stack();
  }

  /**
   * Lists anew.
   * @param {Choice} [choice]
   */
  arrange(choice = this.#choice) {
    this.#choice = choice;
    this.#sought = plain(choice.search).split(/\s+/).filter((word) => word !== "");
    this.counts = new Map(groups.map((group) => [group.key, 0]));
    this.sections = this.#emptySections();
    this.#byKey = new Map(this.sections.map((section) => [section.key, section]));
    for (const entry of this.#ranked) {
      const isFound = this.#sought.every((word) => entry.text.includes(word));
      entry.counted = isFound ? this.#groupOf(entry) : null;
      entry.section = this.#sectionOf(entry);
      // In the order of ranks, so at the end.
      entry.section?.entries.push(entry);
      this.#count(entry.counted, 1);
    }
    this.#stack();
  }

  /**
   * Puts those whose presence has changed where they belong now.
   * @param {Iterable<string>} ids
   * @returns {boolean} whether anybody is elsewhere now
   */
  move(ids) {
    let hasMoved = false;
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (!entry || entry.counted === null) {
        continue;
      }
      const [counted, section] = [entry.counted, entry.section];
      entry.counted = this.#groupOf(entry);
      if (entry.counted === counted) {
        continue;
      }
      this.#count(counted, -1);
      this.#count(entry.counted, 1);
      entry.section = this.#sectionOf(entry);
      if (entry.section !== section) {
        section?.entries.splice(place(section.entries, entry.rank), 1);
        entry.section?.entries.splice(place(entry.section.entries, entry.rank), 0, entry);
        hasMoved = true;
      }
    }
    if (hasMoved) {
      this.#stack();
    }
    return hasMoved;
  }

  /**
   * Who is on this stretch of the list, in order.
   * @param {number} top in px
   * @param {number} bottom
   * @returns {Place[]}
   */
  between(top, bottom) {
    const places = [];
    for (const section of this.sections) {
      const start = section.top + this.#headingOf(section);
      const from = Math.max(0, Math.floor((top - start) / this.row));
      const to = Math.min(section.entries.length, Math.ceil((bottom - start) / this.row));
      for (let index = from; index < to; index += 1) {
        places.push(this.#place(section, index));
      }
    }
    return places;
  }

  /**
   * Where somebody is.
   * @param {string} id
   * @returns {Place | null} `null` if they are not listed
   */
  find(id) {
    const entry = this.#entries.get(id);
    const section = entry?.section;
    return entry && section ? this.#place(section, place(section.entries, entry.rank)) : null;
  }

  /**
   * Who is at this position.
   * @param {number} position from 0
   * @returns {Place | null}
   */
  at(position) {
    const section = this.sections.findLast((one) => one.first <= position && one.entries.length > 0);
    const index = position - (section?.first ?? 0);
    return section && index >= 0 && index < section.entries.length ? this.#place(section, index) : null;
  }

  /**
   * @param {Section} section
   * @param {number} index
   * @returns {Place}
   */
  #place(section, index) {
    const y = section.top + this.#headingOf(section) + index * this.row;
    return { entry: section.entries[index], position: section.first + index, y };
  }

  /** @param {Entry} entry */
  #groupOf(entry) {
    return groupOf(entry.person.presence?.availability);
  }

  /** @param {Entry} entry */
  #sectionOf({ counted, person }) {
    const { wanted, by } = this.#choice;
    if (counted === null || (wanted.size > 0 && !wanted.has(counted))) {
      return null;
    }
    const key = by === "availability" ? counted : by === "department" ? person.department : "";
    return this.#byKey.get(key) ?? null;
  }

  /** @returns {Section[]} */
  #emptySections() {
    const empty = (/** @type {string} */ key, /** @type {string} */ words) => ({
      key, words, entries: [], first: 0, top: 0, height: 0,
    });
    if (this.#choice.by === "availability") {
      return groups.map(({ key, words }) => empty(key, words));
    }
    if (this.#choice.by === "department") {
      const names = new Set(this.#ranked.map(({ person }) => person.department));
      const sorted = [...names].filter((name) => name !== "").sort(collator.compare);
      return [...sorted.map((name) => empty(name, name)), empty("", "No department")];
    }
    return [empty("", "")];
  }

  /** Puts the sections one below the other. */
  #stack() {
    let [first, top] = [0, 0];
    for (const section of this.sections) {
      const { length } = section.entries;
      section.first = first;
      section.top = top;
      section.height = length === 0 ? 0 : this.#headingOf(section) + length * this.row;
      first += length;
      top += section.height;
    }
    [this.size, this.height] = [first, top];
  }

  /** @param {Section} section */
  #headingOf(section) {
    return section.words === "" ? 0 : this.heading;
  }

  /**
   * @param {string | null} key
   * @param {number} by
   */
  #count(key, by) {
    if (key !== null) {
      this.counts.set(key, (this.counts.get(key) ?? 0) + by);
    }
  }
}

/**
 * The index of a rank, or where it would be.
 * @param {Entry[]} entries
 * @param {number} rank
 */
function place(entries, rank) {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle].rank < rank) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/**
 * Small letters without accents.
 * @param {string} text
 */
function plain(text) {
  return text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}
