/**
 * The board: what is around the views, and which of them is shown. The address says it behind `#`.
 */

import { Api } from "./api.js";
import { ServerClock } from "./clock.js";
import { h, replace, svg, write } from "./dom.js";
import { People } from "./people.js";
import { initials, tint } from "./person-row.js";
import { Session } from "./session.js";

/**
 * What every view is given before it is connected.
 * @typedef {object} App
 * @property {Api} api
 * @property {Session} session
 * @property {ServerClock} clock
 * @property {People} people
 * @property {(hash: string) => void} go shows another page, such as `#/me`
 */

/** @typedef {{pattern: RegExp, tag: string, title: string, argument?: string}} Route */

/** The pages; the first one is shown to whoever asks for none, or for one that is not there. @type {Route[]} */
const ROUTES = [
  { pattern: /^#\/people$/, tag: "view-people", title: "People" },
  { pattern: /^#\/people\/([^/]+)$/, tag: "view-person", title: "Person", argument: "person" },
  { pattern: /^#\/me$/, tag: "view-me", title: "Me" },
  { pattern: /^#\/subscriptions$/, tag: "view-subscriptions", title: "Subscriptions" },
];

/** Whatever the address says, to whoever is not signed in. @type {Route} */
const SIGN_IN = { pattern: /^/, tag: "view-sign-in", title: "Sign in" };

const NAVIGATION = [["#/people", "People"], ["#/me", "Me"], ["#/subscriptions", "Subscriptions"]];

const THEME = "porchlight.theme";

/** The page. */
class Board {
  /** @type {App} */
  #app;
  #links = NAVIGATION.map(([href, words]) => h("a", { href }, words));
  #theme = h("button", { class: "button quiet", type: "button", on: { click: () => this.#turnTheme() } });
  #who = h("div", { class: "top-who" });
  #banner = h("div", { class: "banner", role: "status" });
  #main = h("main", { id: "main", tabIndex: -1 });
  #isFollowing = false;

  /** @param {App} app */
  constructor(app) {
    this.#app = app;
  }

  start() {
    const { session, people } = this.#app;
    const skip = () => this.#main.focus();
    replace(document.body,
      h("button", { class: "skip", type: "button", on: { click: skip } }, "Skip to the content"),
      h("header", { class: "top" },
        h("div", { class: "top-inside" },
          h("a", { class: "brand", href: "#/people", "aria-label": "Porchlight" }, lamp(), h("span", null, "Porchlight")),
          h("nav", { "aria-label": "Pages" }, ...this.#links),
          this.#theme, this.#who)),
      this.#banner, this.#main);
    this.#nameTheme();
    addEventListener("hashchange", () => this.#show(true));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#nameTheme());
    addEventListener("storage", (event) => event.key === THEME && this.#wear(event.newValue ?? ""));
    session.addEventListener("change", () => this.#welcome());
    people.addEventListener("state", () => this.#tellState());
    if (session.isDevelopment) {
      this.#addBar();
    }
    this.#welcome();
  }

  /** Begins anew with whoever uses the board now. */
  #welcome() {
    const { session, people, clock } = this.#app;
    people.stop();
    this.#isFollowing = session.me !== null;
    if (this.#isFollowing) {
      clock.sync();
      people.start();
    }
    this.#introduce();
    this.#tellState();
    this.#show(false);
  }

  /**
   * Shows the page that the address names; the sign-in page to whoever is not signed in.
   * @param {boolean} moves whether somebody has gone there, so that the focus goes too
   */
  async #show(moves) {
    const { hash } = location;
    const { tag, title, argument, matched } = this.#isFollowing ? this.#find(hash) : { ...SIGN_IN, matched: null };
    const view = await made(tag);
    if (hash !== location.hash) {
      return;
    }
    if (argument && matched) {
      view.setAttribute(argument, decoded(matched[1]));
    }
    /** @type {any} */ (view).app = this.#app;
    document.title = `${title} · Porchlight`;
    this.#links.forEach((link) => {
      const isHere = this.#isFollowing && link.getAttribute("href") === (tag === "view-person" ? "#/people" : hashOf(tag));
      if (isHere) {
        link.setAttribute("aria-current", "page");
      } else {
        link.removeAttribute("aria-current");
      }
    });
    scrollTo(0, 0);
    if (moves) {
      this.#main.focus({ preventScroll: true });
    }
    replace(this.#main, view);
  }

  /** @param {string} hash */
  #find(hash) {
    for (const route of ROUTES) {
      const matched = route.pattern.exec(hash);
      if (matched) {
        return { ...route, matched };
      }
    }
    return { ...ROUTES[0], matched: null };
  }

  /** Says who uses the board. */
  #introduce() {
    const { session } = this.#app;
    const { me } = session;
    document.body.classList.toggle("is-away", me === null);
    if (!me) {
      replace(this.#who);
      return;
    }
    const name = me.displayName || me.userPrincipalName;
    replace(this.#who,
      h("span", { class: `avatar small tint-${tint(me.id)}`, "aria-hidden": "true" }, initials(name)),
      h("span", { class: "top-name" }, name),
      h("button", {
        class: "button quiet sign-out", type: "button", "aria-label": "Sign out", on: { click: () => session.signOut() },
      }, door(), h("span", null, "Sign out")));
  }

  #tellState() {
    const { state } = this.#app.people;
    const isWaiting = this.#isFollowing && state === "waiting";
    this.#banner.classList.toggle("is-shown", isWaiting);
    write(this.#banner, isWaiting ? "Reconnecting… What you see may be old." : "");
  }

  async #addBar() {
    const bar = await made("bar-development");
    /** @type {any} */ (bar).app = this.#app;
    document.body.append(bar);
  }

  #turnTheme() {
    const theme = isDark() ? "light" : "dark";
    localStorage.setItem(THEME, theme);
    this.#wear(theme);
  }

  /** @param {string} theme chosen here, or in another tab */
  #wear(theme) {
    document.documentElement.dataset.theme = theme;
    this.#nameTheme();
  }

  #nameTheme() {
    replace(this.#theme, isDark() ? sun() : moon());
    this.#theme.ariaLabel = isDark() ? "Light mode" : "Dark mode";
    this.#theme.title = this.#theme.ariaLabel;
  }
}

/**
 * A custom element, whose module is loaded when it is wanted first.
 * @param {string} tag
 * @returns {Promise<HTMLElement>}
 */
async function made(tag) {
  try {
    await import(`./${tag}.js`);
    return document.createElement(tag);
  } catch (error) {
    console.error(error);
    return h("p", { class: "error", role: "alert" }, "This part of the page could not be loaded. Reload the page.");
  }
}

/**
 * A part of the address without its percent signs; as it is, if they mean nothing.
 * @param {string} text
 */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {string} tag */
function hashOf(tag) {
  return tag.replace("view-", "#/");
}

function isDark() {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Porchlight's lamp. */
function lamp() {
  return svg("svg", { viewBox: "0 0 24 24", class: "lamp", "aria-hidden": "true" },
    svg("path", { class: "lamp-light", d: "M12 8.5 20 21H4Z" }),
    svg("path", { class: "lamp-shade", d: "M12 2.5V5M6.5 11a5.5 5.5 0 0 1 11 0Z" }));
}

function sun() {
  const rays = "M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4";
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" },
    svg("circle", { cx: 12, cy: 12, r: 4 }), svg("path", { d: rays }));
}

function moon() {
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" },
    svg("path", { d: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z" }));
}

function door() {
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" },
    svg("path", { d: "M10 4H5v16h5M15 8l4 4-4 4M19 12H9.5" }));
}

async function start() {
  const response = await fetch("/porchlight/board/settings.json", { cache: "no-store" });
  const session = new Session(await response.json());
  await session.start();
  const [api, clock] = [new Api(session), new ServerClock(session)];
  const people = new People(api, clock);
  new Board({ api, session, clock, people, go: (hash) => { location.hash = hash; } }).start();
}

start().catch((error) => {
  console.error(error);
  replace(document.body, h("p", { class: "error", role: "alert" }, "The server does not answer. Reload the page."));
});
