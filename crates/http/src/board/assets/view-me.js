/**
 * One's own presence: the picker that people know from chat programs.
 *
 * What is picked is written by PATCH, which says "this is my presence now" and stands without any session: the
 * board has none, and setUserPreferredPresence is without effect while none lives.
 */

import { announce, h, replace, write } from "./dom.js";
import { LONGEST, MESSAGE, PRESENCE, iso, wallClock } from "./duration.js";
import { Explained } from "./explained.js";
import { Face } from "./face.js";
import { dot } from "./presence.js";
import { Problem } from "./problem.js";
import { Times } from "./times.js";

/** What can be picked: availability, activity and how it is called. */
const STATES = [
  ["Available", "Available", "Available"],
  ["Busy", "Busy", "Busy"],
  ["DoNotDisturb", "DoNotDisturb", "Do not disturb"],
  ["BeRightBack", "BeRightBack", "Be right back"],
  ["Away", "Away", "Appear away"],
  ["Offline", "OffWork", "Appear offline"],
];

/** Where somebody can work: workLocationType and how it is called. */
const LOCATIONS = [["office", "Office"], ["remote", "Remote"], ["timeOff", "Time off"]];

const ME = "/v1.0/me/presence";

/** `<view-me>` */
class ViewMe extends HTMLElement {
  /** @type {import("./main.js").App} */
  app;
  /** @type {Times} */
  #times;
  /** @type {Explained} */
  #explained;
  /** @type {Face} */
  #face;
  #problem = new Problem();
  /** @type {Form[]} */
  #forms = [];

  connectedCallback() {
    const { me } = this.app.session;
    this.#times = new Times(this.app.clock);
    this.#face = new Face(this.#times);
    this.#explained = new Explained(this.app, me?.id ?? "", ME);
    this.#explained.addEventListener("change", () => this.#shown());
    this.#forms = [this.#presence(), this.#message(), this.#outOfOffice(), this.#location()];
    const forms = h("div", { class: "me-forms" }, ...this.#forms.map((form) => form.element));
    replace(this, this.#face.element, this.#problem.element, forms);
    this.#face.name(me?.id ?? "", me?.displayName ?? "Me", [me?.userPrincipalName ?? ""]);
    this.#explained.start();
  }

  disconnectedCallback() {
    this.#explained.stop();
    this.#times.stop();
  }

  #shown() {
    if (this.#explained.error) {
      this.#problem.show(this.#explained.error);
    } else {
      this.#face.show(this.#explained);
      this.#forms.forEach((form) => form.show());
    }
  }

  #presence() {
    const states = radios("Presence", STATES.map(([availability, activity, words]) => (
      { value: activity, words, mark: dot(availability) }
    )));
    const length = picker("For", PRESENCE);
    const set = () => {
      const state = STATES.find(([, activity]) => activity === states.value());
      const [availability, activity] = state ?? [];
      const now = this.app.clock.now();
      const end = length.choice().end(now);
      const expirationDuration = end ? iso(end.getTime() - now.getTime()) : LONGEST;
      return this.#call("PATCH", "", { availability, activity, expirationDuration });
    };
    const reset = () => this.#call("POST", "/clearUserPreferredPresence", {});
    return new Form({
      heading: "Presence",
      fields: [states.element, length.element],
      save: ["Set presence", set, "Your presence is set."],
      clear: ["Reset presence", reset, "Your presence is reset."],
      note: "Once it is reset, your programs decide again what is shown.",
      show: () => {
        const layers = this.#explained.explanation?.layers ?? [];
        states.pick(layers.find((layer) => layer.kind === "preferred")?.activity ?? "");
      },
    });
  }

  #message() {
    const text = h("textarea", { class: "field", id: "status-message", rows: 2 });
    const length = picker("Clear after", MESSAGE);
    const save = () => {
      const end = length.choice().end(this.app.clock.now());
      const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
      const expiryDateTime = end ? { dateTime: wallClock(end), timeZone } : null;
      const message = { content: text.value, contentType: "text" };
      return this.#call("POST", "/setStatusMessage", { statusMessage: { message, expiryDateTime } });
    };
    const clear = () => this.#call("POST", "/setStatusMessage", { statusMessage: null });
    return new Form({
      heading: "Status message",
      fields: [field("Status message", text), length.element],
      save: ["Save message", save, "Your message is saved."],
      clear: ["Clear message", clear, "Your message is cleared."],
      show: () => {
        text.value = this.#explained.presence?.statusMessage?.message.content ?? "";
      },
    });
  }

  #outOfOffice() {
    const isOut = h("input", { type: "checkbox", id: "is-out-of-office" });
    const reply = h("textarea", { class: "field", id: "automatic-reply", rows: 3 });
    const save = () => {
      const settings = isOut.checked ? { isOutOfOffice: true, message: reply.value || null } : null;
      return this.#call("PATCH", "", { outOfOfficeSettings: settings });
    };
    return new Form({
      heading: "Out of office",
      fields: [
        h("p", { class: "check" }, isOut, h("label", { for: isOut.id }, "I am out of office")),
        field("Automatic reply", reply),
      ],
      save: ["Save out of office", save, "Out of office is saved."],
      show: () => {
        const settings = this.#explained.presence?.outOfOfficeSettings;
        isOut.checked = settings?.isOutOfOffice === true;
        reply.value = settings?.message ?? "";
      },
    });
  }

  #location() {
    const places = radios("Where I work", LOCATIONS.map(([value, words]) => ({ value, words, mark: null })));
    const save = () => this.#call("POST", "/setManualLocation", { workLocationType: places.value() });
    const clear = () => this.#call("POST", "/clearLocation", {});
    return new Form({
      heading: "Work location",
      fields: [places.element],
      save: ["Save location", save, "Your work location is saved."],
      clear: ["Clear location", clear, "Your work location is cleared."],
      show: () => places.pick(this.#explained.presence?.workLocation?.workLocationType ?? ""),
    });
  }

  /**
   * @param {string} method
   * @param {string} action below one's own presence
   * @param {object} body
   */
  #call(method, action, body) {
    return this.app.api.call(method, ME + action, { body });
  }
}

/** Does something, says so when it is done: the words of the button, what it does, and what is said then. */
/** @typedef {[string, () => Promise<unknown>, string]} Act */

/** A part of the page with fields that are written together. */
class Form {
  /** Whether there is something in the fields that has not been written yet. */
  #isTouched = false;
  /** How many of its acts are under way or wait for one that is. */
  #acts = 0;
  #before = Promise.resolve();
  #show;
  #problem = new Problem();
  #said = h("span", { class: "said" });
  element;

  /**
   * @param {object} what
   * @param {string} what.heading
   * @param {Node[]} what.fields
   * @param {Act} what.save
   * @param {Act} [what.clear]
   * @param {string} [what.note]
   * @param {() => void} what.show puts what the server has into the fields
   */
  constructor({ heading, fields, save, clear, note, show }) {
    this.#show = show;
    const id = `me-${heading.toLowerCase().replaceAll(" ", "-")}`;
    const submit = h("button", { type: "submit", class: "button primary" }, save[0]);
    const click = () => clear && this.#do(clear);
    const reset = clear && h("button", { type: "button", class: "button", on: { click } }, clear[0]);
    const form = h(
      "form", null, ...fields, note ? h("p", { class: "quiet" }, note) : null,
      h("div", { class: "row" }, submit, reset, this.#said), this.#problem.element,
    );
    form.addEventListener("input", () => { this.#isTouched = true; });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#do(save);
    });
    this.element = h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, heading), form);
  }

  /** Shows what the server has, unless somebody is about to change it. */
  show() {
    if (!this.#isTouched && this.#acts === 0) {
      this.#show();
    }
  }

  /**
   * Does it when all that was begun before is done.
   * @param {Act} act
   */
  #do(act) {
    this.#acts += 1;
    this.#before = this.#before.then(() => this.#act(act)).finally(() => { this.#acts -= 1; });
  }

  /** @param {Act} act */
  async #act([, doIt, done]) {
    this.#problem.clear();
    write(this.#said, "");
    // What is touched from now on is not written with this.
    this.#isTouched = false;
    try {
      await doIt();
      write(this.#said, done);
      announce(done);
    } catch (error) {
      this.#isTouched = true;
      this.#problem.show(error);
    }
  }
}

/**
 * A group of radio buttons.
 * @param {string} name
 * @param {{value: string, words: string, mark: Node | null}[]} choices
 */
function radios(name, choices) {
  const group = name.toLowerCase().replaceAll(" ", "-");
  const inputs = choices.map(({ value }) => h("input", { type: "radio", name: group, value, required: true }));
  const labels = choices.map(({ words, mark }, at) => (
    h("label", { class: "choice" }, inputs[at], mark, h("span", null, words))
  ));
  return {
    element: h("div", { class: "choices", role: "radiogroup", "aria-label": name }, ...labels),
    value: () => inputs.find((input) => input.checked)?.value ?? "",
    pick: (/** @type {string} */ value) => {
      inputs.forEach((input) => { input.checked = input.value === value; });
    },
  };
}

/**
 * A list of lengths of time.
 * @param {string} label
 * @param {import("./duration.js").Choice[]} choices
 */
function picker(label, choices) {
  const options = choices.map(({ value, words }) => h("option", { value }, words));
  const select = h("select", { class: "field", id: label.toLowerCase().replaceAll(" ", "-") }, ...options);
  return {
    element: field(label, select),
    choice: () => choices[select.selectedIndex],
  };
}

/**
 * @param {string} label
 * @param {HTMLElement} control with an id
 */
function field(label, control) {
  return h("p", { class: "labelled" }, h("label", { for: control.id }, label), control);
}

customElements.define("view-me", ViewMe);
