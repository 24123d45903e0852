// Thousands of people on one page, hundreds of whom change each second.
//
//   node crowd.mjs URL PEOPLE SECONDS
//
// URL is that of a development server whose directory is so many people with the ids 00000000-0000-4000-8000-{n}, n in
// twelve digits. For so many seconds the page is looked at: how long it takes from one animation frame to the next,
// beside an empty page of the same server in the same browser while the same changes are written; how much memory its
// JavaScript holds once rubbish is collected, and of how many elements it is made. See stage.mjs.

import assert from "node:assert/strict";
import { Agent, request } from "node:http";

import { Api, DEMO, Stage, called, eventually, openBrowser, pick } from "./stage.mjs";

/** Changes per second. */
const RATE = 200;

/** For so long an empty page is looked at, before and after, in seconds. */
const EMPTY = 4;

/** The frames of the board may take so much longer than those of an empty page: what timers are exact to. */
const SLOWER_MAX = 1.05;

/** The memory at the end of the first third may grow by this much until the end. */
const GROWTH_MAX = 1.05;

/** Pairs that a session can have. */
const PAIRS = [
  ["Available", "Available"], ["Busy", "InACall"], ["DoNotDisturb", "Presenting"], ["Away", "Away"],
  ["Busy", "InAConferenceCall"],
];

const [url, ...numbers] = process.argv.slice(2);
const [people, seconds] = numbers.map(Number);

const agent = new Agent({ keepAlive: true, maxSockets: 16 });
const browser = await openBrowser();
async function watch() {
  await everybodyIsSomewhere();
  const writer = new Writer();
  const empty = [await emptyPage()];

  const stage = await Stage.open(browser, url, { fresh: false });
  const { page } = stage;
  const opened = performance.now();
  await page.goto("/#/people");
  const size = () => page.locator("[data-person]").first().getAttribute("aria-setsize");
  await eventually("everybody", async () => (await size()) === String(people), 30_000);
  console.log(`${people} people are listed ${Math.round(performance.now() - opened)} ms after the page was asked for`);
  const probe = await stage.context.newCDPSession(page);
  // Once, so that whatever is kept for good from then on is there before memory is looked at.
  await tour(page, () => {});

  const third = (seconds * 1000) / 3;
  const parts = [await frames(page, third)];
  const early = await held(page, probe);
  await tour(page, async () => parts.push(await frames(page, third)));
  parts.push(await frames(page, third));
  const late = await held(page, probe);
  await writer.stop();
  await agrees(page);
  stage.check();
  await stage.picture("crowd");
  await stage.close();

  const afterwards = new Writer();
  empty.push(await emptyPage());
  await afterwards.stop();

  const [board, nothing] = [parts, empty].map((measured) => summary(measured.flat()));
  console.log(`${writer.count} changes, ${(writer.count / writer.seconds).toFixed(0)} per second`);
  console.log(`from frame to frame: board ${line(board)}; empty page ${line(nothing)}`);
  console.log(`at a third: ${JSON.stringify(early)}; at the end: ${JSON.stringify(late)}`);
  assert.ok(writer.count > 0.9 * RATE * writer.seconds, "the server does not take so many changes");
  assert.ok(board.median <= SLOWER_MAX * nothing.median, "the board's frames take longer than those of an empty page");
  assert.ok(late.bytes <= GROWTH_MAX * early.bytes, "memory grows");
  assert.ok(late.elements <= early.elements + 20, "the page grows");
  assert.ok(late.listeners <= early.listeners + 20, "listeners are left");
}

/** To the groups, where people move from section to section before one's eyes; to another page, and back. */
async function tour(page, look) {
  const by = page.getByRole("combobox", called("Group by"));
  await pick(by, "Availability");
  await look();
  await page.getByRole("link", called("Me")).click();
  await page.getByRole("radio", called("Busy")).waitFor();
  await page.getByRole("link", called("People")).click();
  await pick(by, "No groups");
  await page.locator("[data-person]").first().waitFor();
}

/** Everybody gets a presence, as fast as may be. */
async function everybodyIsSomewhere() {
  const began = performance.now();
  const left = Array.from({ length: people }, (_, n) => n);
  const write = async () => {
    for (let n = left.pop(); n !== undefined; n = left.pop()) await set(n, n % PAIRS.length);
  };
  await Promise.all(Array.from({ length: agent.maxSockets }, write));
  console.log(`everybody has a presence after ${Math.round(performance.now() - began)} ms`);
}

/** Sets presences at a steady rate until it is stopped; each of them changes something. */
class Writer {
  static turn = 0;
  count = 0;
  #began = performance.now();
  #ended = 0;
  #underWay = new Set();
  #timer = setInterval(() => this.#catchUp(), 20);
  #failure = null;

  /** How long it wrote. */
  get seconds() {
    return (this.#ended - this.#began) / 1000;
  }

  async stop() {
    clearInterval(this.#timer);
    this.#ended = performance.now();
    await Promise.all(this.#underWay);
    if (this.#failure) throw this.#failure;
  }

  #catchUp() {
    const due = Math.floor(((performance.now() - this.#began) / 1000) * RATE);
    // Whoever is behind does not make up for it with a flood.
    for (let writes = 0; this.count < due && writes < RATE / 10 && this.#underWay.size < 64; writes += 1) {
      const writing = this.#next().catch((error) => { this.#failure ??= error; });
      this.#underWay.add(writing);
      writing.finally(() => this.#underWay.delete(writing));
      this.count += 1;
    }
  }

  #next() {
    Writer.turn += 1;
    // Seven does not divide the number of people: everybody's turn comes.
    const n = (Writer.turn * 7) % people;
    return set(n, (n + Math.ceil(Writer.turn / people)) % PAIRS.length);
  }
}

/** A session of person n, of the demo application. */
function set(n, pair) {
  const [availability, activity] = PAIRS[pair];
  const body = JSON.stringify({ sessionId: DEMO, availability, activity, expirationDuration: "PT4H" });
  const headers = {
    authorization: `Bearer dev:${DEMO}:`, "content-type": "application/json", "content-length": body.length,
  };
  const id = `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/v1.0/users/${id}/presence/setPresence`, { agent, method: "POST", headers });
    sent.on("error", reject).on("response", (response) => {
      response.resume().on("end", () => {
        response.statusCode === 200 ? resolve() : reject(new Error(`${response.statusCode}`));
      });
    });
    sent.end(body);
  });
}

/** The times between the animation frames of an empty page. */
async function emptyPage() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.goto(`${url}/porchlight/health`);
  const measured = await frames(page, EMPTY * 1000);
  await context.close();
  return measured;
}

/** The times from one animation frame to the next, in ms, for so long. */
function frames(page, milliseconds) {
  return page.evaluate((milliseconds) => new Promise((resolve) => {
    const times = [];
    const began = performance.now();
    let before = 0;
    const frame = (now) => {
      if (before > 0) times.push(now - before);
      before = now;
      performance.now() - began < milliseconds ? requestAnimationFrame(frame) : resolve(times);
    };
    requestAnimationFrame(frame);
  }), milliseconds);
}

/** What the page holds once rubbish is collected. */
async function held(page, probe) {
  for (let times = 0; times < 3; times += 1) await probe.send("HeapProfiler.collectGarbage");
  const { usedSize } = await probe.send("Runtime.getHeapUsage");
  const { jsEventListeners } = await probe.send("Memory.getDOMCounters");
  const elements = await page.evaluate(() => document.querySelectorAll("*").length);
  return { bytes: usedSize, elements, listeners: jsEventListeners };
}

/** Waits until the page counts as many people in each group as the server does. */
async function agrees(page) {
  const api = new Api(url, `dev:${DEMO}:`);
  for (const [availability, words] of [["Available", "Available"], ["Busy", "Busy"], ["Away", "Away"]]) {
    const filter = encodeURIComponent(`availability eq '${availability}'`);
    const count = await api.get(`/v1.0/communications/presences/$count?$filter=${filter}`);
    await page.getByRole("button", called(`${words} (${count})`)).waitFor();
  }
}

/** @param {number[]} times */
function summary(times) {
  const sorted = times.toSorted((one, other) => one - other);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { median: at(0.5), p95: at(0.95), p99: at(0.99), worst: sorted.at(-1), frames: sorted.length };
}

function line({ median, p95, p99, worst, frames }) {
  const [a, b, c, d] = [median, p95, p99, worst].map((time) => time.toFixed(1));
  return `median ${a} ms, 95 % ${b}, 99 % ${c}, worst ${d} of ${frames}`;
}

const failure = await watch().then(() => null, (error) => error);
if (failure) console.log(failure.stack);
await browser.close();
process.exit(failure ? 1 : 0);
