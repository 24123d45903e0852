/**
 * `<view-people>`: everybody, live; found by search, filtered and grouped.
 *
 * Only the rows that are on the screen exist, and they are used again. What somebody is doing changes at once; the order
 * follows in steps, so that a list of thousands does not tremble.
 */

import { empty, h, replace, write } from "./dom.js";
import { Listing } from "./listing.js";
import { dot, groups } from "./presence.js";
import { PersonRow } from "./person-row.js";
import { Problem } from "./problem.js";
import { Upcoming } from "./upcoming.js";

/** Rows above and below the screen that exist all the same. */
const SPARE = 6;

/** How often the order follows, in ms. */
const SETTLE = 400;

/** For how long nobody has to have scrolled, in ms, before rows on the screen are kept where they are. */
const STILL = 150;

/**
 * A row on the screen, and where it was.
 * @typedef {{id: string, section: import("./listing.js").Section | null, y: number}} Seen
 */

/** In how many steps the bar shows shares, and of how many people it moves at once from one to the next. */
const STEPS = 200;
const CROWD = 500;

/** More changes than this are sorted in anew together. */
const MANY = 1000;

/**
 * What was chosen last, for whoever comes back from another page.
 * @type {import("./listing.js").Choice & {scroll: number}}
 */
const last = { search: "", wanted: new Set(), by: "none", scroll: 0 };

class ViewPeople extends HTMLElement {
  /** @type {import("./main.js").App} */
  app;
  #listing = new Listing();
  /** @type {Upcoming} */
  #upcoming;
  /** By the id of the person that they show. @type {Map<string, PersonRow>} */
  #rows = new Map();
  /** Not in use. @type {PersonRow[]} */
  #idle = [];
  /** @type {Map<string, HTMLElement>} */
  #headings = new Map();
  /** Whose presence has changed since the order followed last. @type {Set<string>} */
  #unsettled = new Set();
  /** Whom Tab leads to. */
  #current = "";
  #scrolledAt = 0;
  #frame = 0;
  /** @type {Record<string, ReturnType<typeof setTimeout> | undefined>} */
  #timers = {};
  #abort = new AbortController();
  /** @type {ResizeObserver | undefined} */
  #sizes;

  #total = h("span", { class: "people-total" });
  #chips = new Map(groups.map((group) => [group.key, this.#chip(group)]));
  #shares = new Map(groups.map(({ key }) => [key, h("span", { class: `share share-${key}` })]));
  #bar = h("div", { class: "shares", "aria-hidden": "true" }, ...this.#shares.values());
  #search = h("input", {
    class: "field people-search", type: "search", placeholder: "Search people", "aria-label": "Search people",
    value: last.search, autocomplete: "off", spellcheck: false, on: { input: () => this.#choose() },
  });
  #by = h("select", { class: "field people-by", "aria-label": "Group by", on: { change: () => this.#choose() } },
    h("option", { value: "none" }, "No groups"),
    h("option", { value: "availability" }, "Availability"),
    h("option", { value: "department" }, "Department"));
  #problem = new Problem();
  #notice = h("div", { class: "people-notice" });
  #layer = h("div", { class: "people-headings" });
  #list = h("div", {
    class: "people-rows", role: "list", "aria-label": "People", "aria-describedby": "people-keys",
    on: { keydown: (/** @type {KeyboardEvent} */ event) => this.#press(event),
      focusin: (/** @type {FocusEvent} */ event) => this.#focused(event) },
  });
  #canvas = h("div", { class: "people-canvas" }, this.#layer, this.#list);
  #toolbar = h("div", { class: "people-toolbar" },
    h("div", { class: "people-choices" }, this.#search, this.#by),
    h("div", { class: "people-chips", role: "group", "aria-label": "Availability" }, ...this.#chips.values()));

  connectedCallback() {
    const { people, clock, api } = this.app;
    const signal = this.#abort.signal;
    this.#upcoming = new Upcoming(api);
    this.#by.value = last.by;
    replace(this,
      h("header", { class: "people-head" }, h("h1", null, "People ", this.#total), this.#bar),
      this.#toolbar, this.#notice, this.#canvas,
      h("p", { id: "people-keys", class: "visually-hidden" }, "The arrow keys lead from person to person."));
    this.#listen(people, "directory", () => this.#reload());
    this.#listen(people, "state", () => this.#arrange());
    this.#listen(people, "change", (event) => this.#changed(event.detail));
    this.#listen(this.#upcoming, "change", (event) => this.#refresh(event.detail));
    this.#listen(clock, "tick", () => this.#tick());
    addEventListener("scroll", () => this.#scrolled(), { passive: true, signal });
    addEventListener("resize", () => this.#resized(), { signal });
    this.#sizes = new ResizeObserver(() => this.#resized());
    this.#sizes.observe(this.#toolbar);
    this.#reload();
    this.#resized();
    this.#explainState();
    scrollTo(0, last.scroll);
  }

  disconnectedCallback() {
    this.#abort.abort();
    this.#sizes?.disconnect();
    cancelAnimationFrame(this.#frame);
    Object.values(this.#timers).forEach(clearTimeout);
  }

  /**
   * @param {EventTarget} target
   * @param {string} name
   * @param {(event: any) => void} listener
   */
  #listen(target, name, listener) {
    target.addEventListener(name, listener, { signal: this.#abort.signal });
  }

  /** @param {import("./presence.js").Group} group */
  #chip({ key, words, availabilities }) {
    return h("button", {
      class: "chip", type: "button", "aria-pressed": String(last.wanted.has(key)), on: { click: () => this.#want(key) },
    }, dot(availabilities[0]), h("span", null, words), " ", h("span", { class: "chip-count" }));
  }

  /** @param {string} key */
  #want(key) {
    last.wanted = last.wanted.symmetricDifference(new Set([key]));
    this.#choose();
  }

  /** Lists what has been chosen, from the top. */
  #choose() {
    last.search = this.#search.value;
    last.by = /** @type {import("./listing.js").Choice["by"]} */ (this.#by.value);
    this.#chips.forEach((chip, key) => chip.setAttribute("aria-pressed", String(last.wanted.has(key))));
    this.#arrange();
    const top = this.#canvas.getBoundingClientRect().top - this.#toolbar.getBoundingClientRect().bottom;
    if (top < 0) {
      scrollBy(0, top);
    }
  }

  #reload() {
    this.#listing.setPeople(this.app.people.all());
    this.#arrange();
  }

  #arrange() {
    this.#unsettled.clear();
    this.#listing.arrange({ search: last.search, wanted: last.wanted, by: last.by });
    this.#count();
    this.#explainState();
    this.#canvas.style.setProperty("height", `${this.#listing.height}px`);
    this.#render();
  }

  /** Why there is nobody to be seen, if nobody is. */
  #explainState() {
    const { people } = this.app;
    this.#canvas.classList.toggle("is-empty", this.#listing.size === 0);
    this.#list.ariaBusy = String(people.state === "loading");
    const isRefused = people.state === "refused";
    [this.#bar, this.#toolbar].forEach((element) => { element.hidden = isRefused; });
    if (isRefused) {
      this.#problem.show(people.error);
      const me = h("p", null, "Your own presence is on the page ", h("a", { href: "#/me" }, "Me"), ".");
      replace(this.#notice, empty("You cannot see the others here", me, this.#problem.element));
    } else if (this.#listing.size > 0) {
      replace(this.#notice);
    } else if (this.#listing.everybody === 0) {
      const isRead = people.state === "live";
      replace(this.#notice, isRead
        ? empty("There is nobody yet", h("p", null, "docs/PEOPLE.md says how people come into the directory."))
        : empty("Looking who is there…"));
    } else {
      const all = h("button", { class: "button", type: "button", on: { click: () => this.#wantAll() } }, "Show everybody");
      const search = last.search.trim();
      replace(this.#notice, empty(search ? `Nobody matches “${search}”` : "Nobody matches", all));
    }
  }

  #wantAll() {
    this.#search.value = "";
    last.wanted = new Set();
    this.#choose();
    this.#search.focus();
  }

  /** @param {Set<string>} ids */
  #changed(ids) {
    this.#refresh(ids, true);
    ids.forEach((id) => this.#unsettled.add(id));
    this.#later("settle", SETTLE, () => this.#settle());
    this.#look();
  }

  /**
   * Shows those anew who are on the screen.
   * @param {Set<string>} ids
   * @param {boolean} [visibly] points out what has changed
   */
  #refresh(ids, visibly = false) {
    const now = this.app.clock.now();
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) {
        row.refresh(now, this.#upcoming, visibly);
      }
    }
  }

  /** The order follows what has changed. */
  #settle() {
    const anchor = this.#anchor();
    const isMany = this.#unsettled.size > MANY;
    if (isMany) {
      this.#listing.arrange();
    }
    const hasMoved = isMany || this.#listing.move(this.#unsettled);
    this.#unsettled.clear();
    this.#count();
    if (hasMoved) {
      this.#explainState();
      this.#canvas.style.setProperty("height", `${this.#listing.height}px`);
      this.#hold(anchor);
      this.#render();
    }
  }

  /**
   * Rows on the screen, so that they can be kept there; none at the top or while scrolling.
   * @returns {Seen[]}
   */
  #anchor() {
    const isStill = performance.now() - this.#scrolledAt > STILL;
    const top = this.#toolbar.getBoundingClientRect().bottom - this.#canvas.getBoundingClientRect().top;
    if (!isStill || top <= 0) {
      return [];
    }
    const seen = this.#listing.between(top, top + innerHeight);
    return seen.map(({ entry, y }) => ({ id: entry.person.id, section: entry.section, y }));
  }

  /** @param {Seen[]} anchor */
  #hold(anchor) {
    for (const { id, section, y } of anchor) {
      const place = this.#listing.find(id);
      if (place && (place.entry.section === section || section?.words === "")) {
        if (place.y !== y) {
          scrollBy({ top: place.y - y, behavior: "instant" });
        }
        return;
      }
    }
  }

  #count() {
    const { counts, everybody } = this.#listing;
    const found = [...counts.values()].reduce((sum, count) => sum + count, 0);
    write(this.#total, everybody === 0 ? "" : (found === everybody ? "" : `${found} of `) + everybody.toLocaleString("en"));
    // Of thousands some always change: the bar would never come to rest.
    this.#bar.classList.toggle("is-crowded", found > CROWD);
    for (const { key } of groups) {
      const count = counts.get(key) ?? 0;
      const chip = /** @type {HTMLElement} */ (this.#chips.get(key));
      write(/** @type {Node} */ (chip.lastElementChild), String(count));
      // Hardly anybody is ever unknown, but everybody at first.
      chip.hidden = key === "PresenceUnknown" && (count === 0 || this.app.people.state === "loading");
      this.#shares.get(key)?.style.setProperty("flex-grow", String(Math.ceil((count / found) * STEPS) || 0));
    }
  }

  #scrolled() {
    this.#scrolledAt = performance.now();
    last.scroll = scrollY;
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#render();
    });
  }

  #resized() {
    const style = getComputedStyle(this);
    const pixels = (/** @type {string} */ name) => Number.parseFloat(style.getPropertyValue(name));
    const isSticky = getComputedStyle(this.#toolbar).position === "sticky";
    this.style.setProperty("--toolbar", `${isSticky ? this.#toolbar.offsetHeight : 0}px`);
    this.#listing.measure(pixels("--row"), pixels("--heading"));
    this.#canvas.style.setProperty("height", `${this.#listing.height}px`);
    this.#render();
  }

  /** Makes rows for whoever is on the screen now. */
  #render() {
    const { top } = this.#canvas.getBoundingClientRect();
    const spare = SPARE * this.#listing.row;
    const places = this.#listing.between(-top - spare, innerHeight - top + spare);
    this.#headline(-top - spare, innerHeight - top + spare);
    const focused = this.#focusedRow();
    const kept = focused && this.#listing.find(focused.id);
    if (kept && !places.some(({ entry }) => entry === kept.entry)) {
      // Off the screen, but the keyboard is there.
      places.push(kept);
      places.sort((a, b) => a.position - b.position);
    }
    const shown = new Set(places.map(({ entry }) => entry.person.id));
    for (const [id, row] of this.#rows) {
      if (!shown.has(id)) {
        this.#rows.delete(id);
        this.#idle.push(row);
      }
    }
    const now = this.app.clock.now();
    const rows = places.map((place) => this.#row(place, now));
    this.#order(rows, focused);
    this.#idle.forEach((row) => row.element.remove());
    this.#reach(rows);
    this.#look();
  }

  /**
   * @param {import("./listing.js").Place} place
   * @param {Date} now
   */
  #row({ entry, position, y }, now) {
    const { person } = entry;
    let row = this.#rows.get(person.id);
    if (!row) {
      row = this.#idle.pop() ?? new PersonRow();
      this.#rows.set(person.id, row);
    }
    row.show(person, now, this.#upcoming);
    row.put(y, position + 1, this.#listing.size);
    row.element.classList.toggle("is-last", entry.section?.entries.at(-1) === entry);
    return row;
  }

  /**
   * Puts rows in order for whoever reads or tabs through them. One that has the focus stays, and others move around it.
   * @param {PersonRow[]} rows
   * @param {PersonRow | undefined} focused
   */
  #order(rows, focused) {
    let next = this.#list.firstElementChild;
    for (const { element } of rows) {
      while (next && element === focused?.element && next !== element) {
        const passed = next;
        next = next.nextElementSibling;
        this.#list.append(passed);
      }
      if (element === next) {
        next = next.nextElementSibling;
      } else {
        this.#list.insertBefore(element, next);
      }
    }
  }

  /**
   * Headings of the sections that are on the screen.
   * @param {number} top
   * @param {number} bottom
   */
  #headline(top, bottom) {
    const sections = this.#listing.sections.filter((section) => (
      section.words !== "" && section.height > 0 && section.top < bottom && section.top + section.height > top
    ));
    const shown = new Map(sections.map((section) => [section.key, section]));
    for (const [key, heading] of this.#headings) {
      if (!shown.has(key)) {
        heading.remove();
        this.#headings.delete(key);
      }
    }
    let next = this.#layer.firstElementChild;
    for (const [key, section] of shown) {
      const heading = this.#headings.get(key) ?? this.#heading(section);
      if (heading === next) {
        next = next.nextElementSibling;
      } else {
        this.#layer.insertBefore(heading, next);
      }
      heading.classList.toggle("is-first", section.top === 0);
      heading.style.setProperty("top", `${section.top}px`);
      heading.style.setProperty("height", `${section.height}px`);
      write(/** @type {Node} */ (heading.querySelector(".heading-count")), section.entries.length.toLocaleString("en"));
    }
  }

  /** @param {import("./listing.js").Section} section */
  #heading({ key, words }) {
    const sign = last.by === "availability" && dot(key);
    const heading = h("div", { class: "people-section" },
      h("h2", { class: "people-heading" }, sign, h("span", null, words), " ", h("span", { class: "heading-count" })));
    this.#headings.set(key, heading);
    return heading;
  }

  /**
   * Tab leads to one row: that of the person who had the focus last, else the first on the screen.
   * @param {PersonRow[]} rows
   */
  #reach(rows) {
    const reached = this.#rows.get(this.#current) ?? rows.find((row) => row.y >= this.#screenTop()) ?? rows[0];
    rows.forEach((row) => { row.link.tabIndex = row === reached ? 0 : -1; });
  }

  /** Where what can be seen of the list begins, in px from its top. */
  #screenTop() {
    return this.#toolbar.getBoundingClientRect().bottom - this.#canvas.getBoundingClientRect().top;
  }

  #focusedRow() {
    const element = document.activeElement?.closest?.("[data-person]");
    return this.#list.contains(element ?? null) ? this.#rows.get(element?.getAttribute("data-person") ?? "") : undefined;
  }

  /** @param {FocusEvent} event */
  #focused(event) {
    const element = /** @type {Element} */ (event.target).closest("[data-person]");
    this.#current = element?.getAttribute("data-person") ?? "";
    this.#reach([...this.#rows.values()]);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const here = this.#listing.find(this.#current)?.position;
    const end = this.#listing.size - 1;
    const steps = /** @type {Record<string, number | undefined>} */ ({ ArrowDown: 1, ArrowUp: -1, Home: -end, End: end });
    const step = steps[event.key];
    if (here === undefined || step === undefined || event.altKey || event.ctrlKey || event.metaKey) {
      return;
    }
    event.preventDefault();
    const place = this.#listing.at(Math.min(Math.max(here + step, 0), end));
    if (place) {
      this.#walkTo(place);
    }
  }

  /** @param {import("./listing.js").Place} place */
  #walkTo({ entry, y }) {
    const { top } = this.#canvas.getBoundingClientRect();
    const { row, heading } = this.#listing;
    const upper = this.#toolbar.getBoundingClientRect().bottom + (last.by === "none" ? 0 : heading);
    const lower = document.querySelector("bar-development")?.getBoundingClientRect().top ?? innerHeight;
    if (top + y < upper) {
      scrollBy({ top: top + y - upper, behavior: "instant" });
    } else if (top + y + row > lower) {
      scrollBy({ top: top + y + row - lower, behavior: "instant" });
    }
    this.#current = entry.person.id;
    this.#render();
    this.#rows.get(entry.person.id)?.link.focus({ preventScroll: true });
  }

  #tick() {
    const now = this.app.clock.now();
    this.#rows.forEach((row) => row.tell(now, this.#upcoming));
    this.#look();
  }

  /** Asks what comes next for those on the screen, once nothing has moved for a moment. */
  #look() {
    this.#later("look", SETTLE, () => {
      const top = this.#screenTop();
      const seen = this.#listing.between(top, top + innerHeight);
      this.#upcoming.ask(seen.map(({ entry }) => entry.person));
    });
  }

  /**
   * Does something a little later, once for however many want it until then.
   * @param {string} name
   * @param {number} milliseconds
   * @param {() => void} action
   */
  #later(name, milliseconds, action) {
    this.#timers[name] ??= setTimeout(() => {
      this.#timers[name] = undefined;
      action();
    }, milliseconds);
  }
}

customElements.define("view-people", ViewPeople);
