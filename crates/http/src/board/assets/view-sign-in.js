/**
 * `<view-sign-in>`: for whoever is not signed in. In development: who do you want to be?
 */

import { h, replace } from "./dom.js";
import { initials, tint } from "./person-row.js";

/** As many people are offered at once. */
const OFFERED = 48;

class ViewSignIn extends HTMLElement {
  /** @type {import("./main.js").App} */
  app;
  #people = h("ul", { class: "picker", "aria-label": "People" });
  #asked = 0;

  connectedCallback() {
    const { session } = this.app;
    const card = session.isDevelopment ? this.#picker() : session.settings.signIn ? this.#door() : this.#instructions();
    replace(this, h("section", { class: "card sign-in" }, ...card, this.#error()));
  }

  #picker() {
    const search = h("input", {
      class: "field", type: "search", placeholder: "Search people", "aria-label": "Search people", autocomplete: "off",
      on: { input: () => this.#find(search.value) },
    });
    this.#find("");
    return [
      h("h1", null, "Who do you want to be?"),
      h("p", null, "This is a development server: anybody can be anybody."),
      search, this.#people,
    ];
  }

  #door() {
    const { session } = this.app;
    const begin = () => session.signIn()?.catch((/** @type {Error} */ error) => this.#fail(error));
    return [
      h("h1", null, "Who is there?"),
      h("p", null, "Sign in to see who is available, and to say what you are doing."),
      h("button", { class: "button primary", type: "button", on: { click: begin } }, "Sign in"),
    ];
  }

  /** Nobody has told the server how people sign in here. */
  #instructions() {
    const lines = [
      "[board]",
      "# what this page is registered as",
      'client_id = "…"',
      'scopes = "openid profile …"',
    ];
    return [
      h("h1", null, "Signing in is not set up"),
      h("p", null, "The server runs, and its API answers. For people to sign in on this page, register it with your identity "
        + "provider as a single-page application (authorization code with PKCE) whose redirect URI is ",
        h("code", null, `${location.origin}/`), ", and say so in the server’s configuration file:"),
      h("pre", null, h("code", null, lines.join("\n"))),
      h("p", null, "The provider itself has to be among the trusted ones (", h("code", null, "[[auth.issuer]]"),
        "). docs/BOARD.md has the steps for Entra ID, Keycloak and others."),
    ];
  }

  #error() {
    const { error } = this.app.session;
    return error && h("p", { class: "error", role: "alert" }, error.message);
  }

  /** @param {Error} error */
  #fail(error) {
    this.app.session.error = error;
    this.querySelector(".error")?.remove();
    this.querySelector(".sign-in")?.append(/** @type {Node} */ (this.#error()));
  }

  /** @param {string} text */
  async #find(text) {
    const { session } = this.app;
    this.#asked += 1;
    const asked = this.#asked;
    const found = await session.find(text, OFFERED).catch((error) => { this.#fail(error); return []; });
    if (asked === this.#asked) {
      found.sort((one, other) => one.displayName.localeCompare(other.displayName));
      replace(this.#people, ...found.map((person) => this.#choice(person)));
    }
  }

  /** @param {import("./session.js").Me} person */
  #choice(person) {
    return h("li", null,
      h("button", { class: "picker-choice", type: "button", on: { click: () => this.app.session.become(person) } },
        h("span", { class: `avatar tint-${tint(person.id)}`, "aria-hidden": "true" }, initials(person.displayName)),
        h("span", null, person.displayName)));
  }
}

customElements.define("view-sign-in", ViewSignIn);
