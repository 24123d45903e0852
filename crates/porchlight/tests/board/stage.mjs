// What every script here needs: a browser that plays scenes, pages on which nothing bad may happen, and the API.
//
// A scene is a function that is given a Stage, and fails by throwing. Nothing waits for a time: what is waited for is
// asked for again and again, and has to come within some seconds.
//
// Playwright is looked for in the node_modules of the working directory and the folders above, then in NODE_PATH.
// CHROMIUM names another browser than Debian's, PICTURES a folder for pictures. Exit status 0: everything is as it
// should be. 1: something is not; what stands on stdout.

import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";

export const DEMO = "5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21";
export const ADA = "8d1f7f3e-58ab-4b0e-9d0c-0f6a1f0f9a01";
export const BEN = "3c5e0a44-0d0f-4d4b-a7f7-6f0a5b1f2b02";

/** How long anything may take that is waited for, in ms. */
export const PATIENCE = 10_000;

/** How long a scene may take, in ms. */
const SCENE = 40_000;

const PICTURES = process.env.PICTURES ?? tmpdir();

/** Starts the browser. It ends with this process. */
export async function openBrowser() {
  mkdirSync(PICTURES, { recursive: true });
  const { chromium } = createRequire(import.meta.url)(installed("playwright-core"));
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  // Whatever proxy this machine has, the servers are on this side of it.
  return chromium.launch({ executablePath, args: ["--no-proxy-server", "--disable-dev-shm-usage"] });
}

/**
 * Plays scenes one after the other, each in a context of its own, says how each went, and ends the process.
 * @param {string} url of the server
 * @param {Record<string, (stage: Stage) => Promise<void>>} scenes by what they show
 * @param {object} [options] see {@link Stage.open}
 */
export async function play(url, scenes, options = {}) {
  const browser = await openBrowser();
  const failed = [];
  for (const [name, scene] of Object.entries(scenes)) {
    const began = performance.now();
    const stage = await Stage.open(browser, url, options);
    try {
      await within(SCENE, scene(stage));
      stage.check();
      console.log(`ok      ${name} (${Math.round(performance.now() - began)} ms)`);
    } catch (error) {
      failed.push(name);
      console.log(`FAILED  ${name}\n${indented(`${error.stack ?? inspect(error)}\n${await stage.report(name)}`)}`);
    } finally {
      await stage.close();
    }
  }
  await browser.close();
  process.exit(failed.length > 0 ? 1 : 0);
}

/** A page, what is watched on it, and the API beside it. */
export class Stage {
  #wrong = [];
  #pardoned = [];

  constructor(context, url, page, origins) {
    Object.assign(this, { context, url, page, origins });
    this.requests = [];
    context.on("request", (request) => this.#asked(request));
    context.on("response", (response) => {
      if (response.status() >= 500) this.#note(`${response.status()} from ${response.url()}`);
    });
    context.on("weberror", (webError) => this.#note(`uncaught: ${webError.error().stack ?? webError.error()}`));
    // Violations of the Content-Security-Policy come by here, too, and answers from 400 on.
    context.on("console", (message) => {
      if (message.type() === "error") this.#note(`console: ${message.text()} ${message.location().url}`);
    });
  }

  /**
   * @param {import("playwright-core").Browser} browser
   * @param {string} url of the server
   * @param {object} [options]
   * @param {string[]} [options.origins] others that the pages may ask something
   * @param {object} [options.context] more settings of the browser's context
   * @param {boolean} [options.fresh] in development: begin without presence and subscriptions, at the right time
   */
  static async open(browser, url, { origins = [], context: settings = {}, fresh = true } = {}) {
    if (fresh) await new Api(url, "").call("POST", "/porchlight/dev/reset");
    const context = await browser.newContext({
      baseURL: url,
      viewport: { width: 1280, height: 800 },
      locale: "en-GB",
      timezoneId: "Europe/Berlin",
      colorScheme: "light",
      ...settings,
    });
    context.setDefaultTimeout(PATIENCE);
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: url });
    return new Stage(context, url, await context.newPage(), new Set([url, ...origins]));
  }

  /** The API, as a person of the demo tenant, by the first name, or by whatever stands before the colon of a token. */
  as(who) {
    return new Api(this.url, `dev:${who}:`);
  }

  /** From now on an error that this matches is as it should be. */
  pardon(pattern) {
    this.#pardoned.push(pattern);
  }

  /** Fails if anything bad has happened on the pages. */
  check() {
    const wrong = this.#wrong.filter((line) => !this.#pardoned.some((pattern) => pattern.test(line)));
    if (wrong.length > 0) throw new Error(`this must not happen on the page:\n${[...new Set(wrong)].join("\n")}`);
  }

  /** Opens the board at a place, such as `#/me`, as a person of the demo tenant. */
  async board(place = "#/people", who = "Ada Lovelace") {
    await this.page.goto(`/${place}`);
    const you = this.page.getByRole("combobox", called("You are"));
    await you.waitFor();
    if ((await chosen(you)) !== who) await pick(you, who);
  }

  /** The row of a person on the page of people. */
  row(id) {
    return this.page.locator(`[data-person="${id}"]`);
  }

  /** What the board calls an activity. */
  words(activity) {
    return this.page.evaluate(
      async (activity) => (await import("/porchlight/board/presence.js")).words(activity), activity,
    );
  }

  /** Keeps a picture of what the page shows. */
  async picture(name, options = {}) {
    const path = join(PICTURES, `${name}.png`);
    await this.page.screenshot({ path, animations: "disabled", ...options });
    return path;
  }

  /** What there is to know of a scene that has failed. */
  async report(name) {
    const lines = this.#wrong.slice(0, 20).map((line) => `on the page: ${line}`);
    const path = await this.picture(`failed-${name.replaceAll(/[^a-z0-9]+/gi, "-")}`).catch((error) => error.message);
    const shown = await this.page.locator("body").ariaSnapshot({ timeout: 2000 }).catch((error) => error.message);
    return [...lines, `at ${this.page.url()}, see ${path}`, ...shown.split("\n").slice(0, 120)].join("\n");
  }

  close() {
    return this.context.close();
  }

  #note(line) {
    this.#wrong.push(line);
  }

  #asked(request) {
    const url = new URL(request.url());
    if (!url.protocol.startsWith("http")) return;
    this.requests.push(request);
    if (!this.origins.has(url.origin)) return this.#note(`a request to another origin: ${url}`);
    const isKnown = /^\/($|porchlight\/(board|dev)\/|porchlight\/limits$|v1\.0\/)/.test(url.pathname);
    if (url.origin === this.url && !isKnown) this.#note(`neither page, asset nor API: ${url}`);
  }
}

/** The API, as somebody. */
export class Api {
  constructor(url, token) {
    Object.assign(this, { url, token });
  }

  /** The body of the answer; fails when that is an error. */
  async call(method, path, body) {
    const headers = { "content-type": "application/json" };
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    const response = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? null : JSON.parse(text);
  }

  get(path) {
    return this.call("GET", path);
  }

  /** One's own presence becomes this, whatever sessions there are. */
  patch(body) {
    return this.call("PATCH", "/v1.0/me/presence", body);
  }

  /** A session of one's own, of the demo application. */
  session(availability, activity, expirationDuration = "PT1H") {
    const body = { sessionId: DEMO, availability, activity, expirationDuration };
    return this.call("POST", "/v1.0/me/presence/setPresence", body);
  }

  presence() {
    return this.get("/v1.0/me/presence");
  }

  explanation() {
    return this.get("/v1.0/me/presence/porchlight.explain");
  }
}

/**
 * What `look` gives, as soon as that is something: it is asked again and again.
 * @template T
 * @param {string} what is waited for
 * @param {() => Promise<T> | T} look
 * @returns {Promise<T>}
 */
export async function eventually(what, look, patience = PATIENCE) {
  const end = performance.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited in vain: ${what}; at last: ${inspect(found)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until a locator's text has this in it. */
export async function shows(locator, text, patience = PATIENCE) {
  let last = "";
  const isShown = async () => {
    last = (await locator.innerText({ timeout: patience })).replaceAll(/\s+/g, " ");
    return last.includes(text);
  };
  await eventually(`the text '${text}'`, isShown, patience).catch((error) => {
    throw new Error(`${error.message}: '${last}'`);
  });
}

/** What is called this, and nothing more: Playwright takes a name for a part of one. */
export function called(name) {
  return { name, exact: true };
}

/** The text of the option that a `select` shows. */
export function chosen(select) {
  return select.evaluate((element) =>
    element instanceof HTMLSelectElement ? element.selectedOptions[0]?.text.trim() : element.value);
}

/** Picks the option whose text begins like this, whatever comes behind it; by hand where it is no `select`. */
export async function pick(combobox, text) {
  const isSelect = await combobox.evaluate((element) => element instanceof HTMLSelectElement);
  if (!isSelect) {
    await combobox.fill(text);
    return combobox.page().getByRole("option", { name: text }).first().click();
  }
  const find = () => combobox.evaluate((select, text) =>
    [...select.options].findIndex((option) => option.text.trim().startsWith(text)), text);
  await eventually(`the option '${text}'`, async () => (await find()) >= 0);
  await combobox.selectOption({ index: await find() });
}

/** Opens a part of the development bar. */
export async function unfold(page, name) {
  const bar = page.getByRole("region", called("Development"));
  const summary = bar.locator("summary").filter({ hasText: name });
  const isOpen = () => summary.evaluate((element) => element.parentElement.open);
  if (!(await isOpen())) await summary.click();
  await eventually(`${name} is open`, isOpen);
}

/** The path of a library, or of a file of one, that `./test` has installed. */
export function installed(name) {
  try {
    return createRequire(join(process.cwd(), "package.json")).resolve(name);
  } catch (error) {
    console.log(`${name} is missing: run ./test, which installs it (${error.message})`);
    return process.exit(1);
  }
}

/** What a promise gives, unless it takes longer than this, in ms. */
export function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still not done after ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function indented(text) {
  return text.split("\n").map((line) => `        ${line}`).join("\n");
}
