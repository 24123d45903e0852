// What people see and do on the board: presence changes before their eyes, and they change their own.
//
//   node scenes.mjs URL
//
// URL is that of a development server with the demo people, which takes subscriptions without asking endpoints for a
// proof. See stage.mjs.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";

import { Api, BEN, DEMO, PATIENCE, called, eventually, pick, play, shows, unfold } from "./stage.mjs";

/** Within so much, in ms, a change is on the page once its write was answered. */
const AT_ONCE = 1000;

/** All that the browser may fetch until the page is there, in bytes. */
const LOAD_MAX = 150_000;

const [url] = process.argv.slice(2);

await play(url, {
  "a change is on the page within a second of its write": async (stage) => {
    await stage.board();
    const { page } = stage;
    await shows(stage.row(BEN), "Offline");
    const inACall = await stage.words("InACall");
    assert.equal(inACall, "In a call");
    // Measured on the page, from the answer to the write that the page itself has sent.
    const took = await page.evaluate(async ({ id, words, patience }) => {
      const headers = { authorization: "Bearer dev:ben:", "content-type": "application/json" };
      const body = JSON.stringify({ availability: "Busy", activity: "InACall" });
      const answer = await fetch("/v1.0/me/presence", { method: "PATCH", headers, body });
      if (!answer.ok) throw new Error(`${answer.status}`);
      const answered = performance.now();
      while (!document.querySelector(`[data-person="${id}"]`).innerText.includes(words)) {
        if (performance.now() - answered > patience) throw new Error(`not shown after ${patience} ms`);
        await new Promise(requestAnimationFrame);
      }
      return performance.now() - answered;
    }, { id: BEN, words: inACall, patience: PATIENCE });
    console.log(`        it took ${took.toFixed(0)} ms`);
    assert.ok(took < AT_ONCE, `${took} ms`);
    await filter(page, "Busy (1)").waitFor();
    await filter(page, "Offline (11)").waitFor();
  },

  "what people write is shown as they wrote it, and never as HTML": async (stage) => {
    const said = "<img src=x onerror=alert(1)> & 'so' on";
    await stage.as("ben").patch({
      availability: "Away",
      statusMessage: { message: { content: said, contentType: "text" } },
      outOfOfficeSettings: { isOutOfOffice: true, message: said },
    });
    await stage.as("ada").call("POST", "/v1.0/users", {
      userPrincipalName: "eve@porchlight.example", displayName: "<b id=bold>Eve</b>",
    });
    await stage.board();
    await shows(stage.row(BEN), said);
    await stage.page.getByRole("link", called("<b id=bold>Eve</b>")).waitFor();
    await stage.page.goto(`/#/people/${BEN}`);
    await shows(stage.page.getByRole("region", called("Why")), said);
    assert.equal(await stage.page.locator("#bold, img[src=x]").count(), 0);
  },

  "people are found, filtered and grouped": async (stage) => {
    await stage.as("ben").patch({ availability: "Busy" });
    await stage.as("cleo").patch({ availability: "Busy", activity: "InAMeeting" });
    await stage.board();
    const { page } = stage;
    const list = page.getByRole("list", called("People"));
    const listed = () => list.getByRole("listitem").count();
    const search = page.getByRole("searchbox", called("Search people"));
    await eventually("all twelve", async () => (await listed()) === 12);
    assert.equal(await list.getByRole("listitem").first().getAttribute("aria-setsize"), "12");

    await search.fill("okaf");
    await eventually("Ben alone", async () => (await listed()) === 1);
    await stage.row(BEN).waitFor();
    await search.fill("nobody is called this");
    await eventually("nobody", async () => (await listed()) === 0);
    await search.fill("");

    await filter(page, "Busy (2)").click();
    await eventually("the two who are busy", async () => (await listed()) === 2);
    // Whoever turns busy joins them, whoever is busy no more leaves.
    await stage.as("dan").patch({ availability: "Busy" });
    await eventually("the three who are busy", async () => (await listed()) === 3);
    await stage.as("ben").patch({ availability: "Away" });
    await stage.row(BEN).waitFor({ state: "detached" });
    await filter(page, "Busy (2)").click();
    await eventually("all twelve again", async () => (await listed()) === 12);

    const by = page.getByRole("combobox", called("Group by"));
    await pick(by, "Availability");
    await eventually("headings", async () => (await headings(page)).join() === "Busy,Away,Offline");
    await stage.as("eva").patch({ availability: "Available" });
    await eventually("one more heading", async () => (await headings(page)).join() === "Available,Busy,Away,Offline");
    await pick(by, "Department");
    const departments = (await stage.as("ada").get("/v1.0/users?$select=department")).value;
    const names = new Set(departments.map((person) => person.department ?? "No department"));
    await eventually("departments", async () => (await headings(page)).length === names.size);
    await pick(by, "No groups");
    await eventually("no headings", async () => (await headings(page)).length === 0);
  },

  "a person's page says which layer wins and why, and says so anew when that changes": async (stage) => {
    const ben = stage.as("ben");
    await ben.session("Available", "Available");
    await stage.board();
    const { page } = stage;
    await stage.row(BEN).getByRole("link", called("Ben Okafor")).click();
    await page.getByRole("heading", called("Ben Okafor")).waitFor();
    const why = page.getByRole("region", called("Why"));
    const winner = why.locator("[data-layer][aria-current=true]");
    const wins = (kind) => eventually(`${kind} wins`, async () =>
      (await winner.count()) === 1 && (await winner.getAttribute("data-layer")) === kind);
    await wins("session");
    await shows(winner, await stage.words("Available"));
    const next = page.getByRole("region", called("What happens next"));
    // The fades of the session, and its end.
    await eventually("three steps", async () => (await next.getByRole("listitem").count()) === 3);

    await ben.session("Busy", "InACall");
    await shows(winner, await stage.words("InACall"));
    await ben.patch({ availability: "DoNotDisturb" });
    await wins("preferred");
    await eventually("two layers", async () => (await why.locator("[data-layer]").count()) === 2);
    const { reason } = (await ben.explanation()).layers.find((layer) => layer.kind === "preferred");
    await shows(winner, reason);
    await ben.call("POST", "/v1.0/me/presence/clearUserPreferredPresence");
    await wins("session");

    const raw = page.getByRole("region", called("As the API says it"));
    await raw.getByRole("button", called("Copy JSON")).click();
    const shown = JSON.parse(await raw.locator("pre").innerText());
    assert.equal(shown.decidedBy, "sessions");
    const copied = () => page.evaluate(() => navigator.clipboard.readText());
    await eventually("the copy", async () => (await copied()).startsWith("{"));
    assert.deepEqual(JSON.parse(await copied()), shown);
  },

  "one's own presence is set for an hour, and reset": async (stage) => {
    const ada = stage.as("ada");
    await ada.session("Available", "Available");
    await stage.board("#/me");
    const region = stage.page.getByRole("region", called("Presence"));
    await region.getByRole("radio", called("Busy")).check();
    await pick(region.getByRole("combobox", called("For")), "1 hour");
    await region.getByRole("button", called("Set presence")).click();
    await eventually("busy", async () => (await pair(ada)) === "Busy/Busy");
    const set = (await ada.explanation()).layers.find((layer) => layer.kind === "preferred");
    assert.equal(Math.round((Date.parse(set.endDateTime) - Date.parse(set.setDateTime)) / 60_000), 60);
    await region.getByRole("button", called("Reset presence")).click();
    await eventually("available", async () => (await pair(ada)) === "Available/Available");
    assert.equal((await ada.explanation()).decidedBy, "sessions");
  },

  "every presence of the picker is one that the API takes": async (stage) => {
    const ada = stage.as("ada");
    await ada.session("Available", "Available");
    await stage.board("#/me");
    const region = stage.page.getByRole("region", called("Presence"));
    const names = [
      ["Available", "Available/Available"], ["Busy", "Busy/Busy"], ["Do not disturb", "DoNotDisturb/DoNotDisturb"],
      ["Be right back", "BeRightBack/BeRightBack"], ["Appear away", "Away/Away"], ["Appear offline", "Offline/OffWork"],
    ];
    for (const [name, expected] of names) {
      await region.getByRole("radio", called(name)).check();
      await region.getByRole("button", called("Set presence")).click();
      await eventually(expected, async () => (await pair(ada)) === expected);
    }
  },

  "a status message is set until later, and cleared": async (stage) => {
    const ada = stage.as("ada");
    await stage.board("#/me");
    const region = stage.page.getByRole("region", called("Status message"));
    const text = region.getByRole("textbox", called("Status message"));
    await text.fill("Back after lunch");
    await pick(region.getByRole("combobox", called("Clear after")), "1 hour");
    await region.getByRole("button", called("Save message")).click();
    const message = await eventually("the message", async () => (await ada.presence()).statusMessage);
    assert.equal(message.message.content, "Back after lunch");
    const left = Date.parse(`${message.expiryDateTime.dateTime.slice(0, 19)}Z`) - Date.now();
    assert.ok(Math.abs(left - 3_600_000) < 60_000, `${left} ms of an hour are left`);

    // As many characters as may be, and one more: the API says why not, and the page shows it.
    await text.evaluate((field) => field.removeAttribute("maxlength"));
    await text.fill("x".repeat(281));
    stage.pardon(/400 \(Bad Request\)/);
    await region.getByRole("button", called("Save message")).click();
    await shows(region, "280");
    assert.equal((await ada.presence()).statusMessage.message.content, "Back after lunch");

    await region.getByRole("button", called("Clear message")).click();
    await eventually("no message", async () => (await ada.presence()).statusMessage === null);
  },

  "one is out of office with an automatic reply, and back": async (stage) => {
    const ada = stage.as("ada");
    await stage.board("#/me");
    const region = stage.page.getByRole("region", called("Out of office"));
    await region.getByRole("checkbox", called("I am out of office")).check();
    await region.getByRole("textbox", called("Automatic reply")).fill("Ask Ben");
    await region.getByRole("button", called("Save out of office")).click();
    const settings = async () => (await ada.presence()).outOfOfficeSettings;
    await eventually("out of office", async () => (await settings()).isOutOfOffice);
    assert.equal((await settings()).message, "Ask Ben");
    await region.getByRole("checkbox", called("I am out of office")).uncheck();
    await region.getByRole("button", called("Save out of office")).click();
    await eventually("back", async () => !(await settings()).isOutOfOffice);
  },

  "a work location is set and cleared": async (stage) => {
    const ada = stage.as("ada");
    await stage.board("#/me");
    const region = stage.page.getByRole("region", called("Work location"));
    for (const [name, type] of [["Remote", "remote"], ["Office", "office"]]) {
      await region.getByRole("radio", called(name)).check();
      await region.getByRole("button", called("Save location")).click();
      await eventually(type, async () => (await ada.presence()).workLocation?.workLocationType === type);
    }
    await region.getByRole("button", called("Clear location")).click();
    await eventually("no location", async () => (await ada.presence()).workLocation === null);
  },

  "the clock bar moves a fade": async (stage) => {
    const { page } = stage;
    await stage.as("ben").session("Available", "Available");
    await stage.board();
    const bar = page.getByRole("region", called("Development"));
    const shown = (activity) => stage.words(activity).then((words) => shows(stage.row(BEN), words));
    await shown("Available");
    await bar.getByRole("button", called("+5 min")).click();
    await shown("AvailableInactive");
    assert.equal(await pair(stage.as("ben")), "Available/AvailableInactive");
    assert.equal((await new Api(url, "").get("/porchlight/dev/clock")).offset, "PT5M");
    // Of the person who is shown the next change is the next fade.
    await page.goto(`/#/people/${BEN}`);
    await page.getByRole("heading", called("Ben Okafor")).waitFor();
    await bar.getByRole("button", called("Until next change")).click();
    await eventually("away", async () => (await pair(stage.as("ben"))) === "Away/Away");
    await page.getByRole("link", called("People")).click();
    await shown("Away");
    await bar.getByRole("button", called("+1 h")).click();
    await shown("Offline");
    await bar.getByRole("button", called("Reset")).click();
    const offset = async () => (await new Api(url, "").get("/porchlight/dev/clock")).offset;
    await eventually("the right time", async () => (await offset()) === "PT0S");
  },

  "one can be somebody else, also after the page was loaded anew": async (stage) => {
    await stage.board("#/me");
    const { page } = stage;
    await page.getByRole("heading", called("Ada Lovelace")).first().waitFor();
    await pick(page.getByRole("combobox", called("You are")), "Cleo Martin");
    await page.getByRole("heading", called("Cleo Martin")).first().waitFor();
    await page.reload();
    const region = page.getByRole("region", called("Presence"));
    await region.getByRole("radio", called("Busy")).check();
    await region.getByRole("button", called("Set presence")).click();
    await eventually("Cleo busy", async () => (await stage.as("cleo").explanation()).layers.length === 1);
    assert.equal((await stage.as("ada").explanation()).layers.length, 0);
  },

  "a subscription shows how it fares, and is ended after a question": async (stage) => {
    const { page } = stage;
    const receiver = await receive();
    const { id } = await subscribe(stage, receiver.url);
    await stage.as("ben").patch({ availability: "Busy" });
    await eventually("a delivery", () => receiver.count() > 0);
    await stage.board("#/subscriptions");
    const row = page.locator(`[data-subscription="${id}"]`);
    await shows(row, receiver.url);
    await eventually("its health", async () => /ok|healthy/i.test(await row.innerText()));

    // What fails is seen to fail.
    const taken = receiver.count();
    receiver.refuse();
    await stage.as("ben").patch({ availability: "Away" });
    await eventually("another delivery", () => receiver.count() > taken);
    await page.getByRole("link", called("People")).click();
    await page.getByRole("link", called("Subscriptions")).click();
    await eventually("its failures", async () => /fail/i.test(await row.innerText()));

    await row.getByRole("button", called("End")).click();
    const dialog = page.getByRole("dialog", called("End this subscription?"));
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    assert.equal((await stage.as("ada").get("/v1.0/subscriptions")).value.length, 1);
    await row.getByRole("button", called("End")).click();
    await dialog.getByRole("button", { name: /^End/ }).click();
    await row.waitFor({ state: "detached" });
    assert.deepEqual((await stage.as("ada").get("/v1.0/subscriptions")).value, []);
    receiver.close();
  },

  "faults are made and mended, and what the page does can be done with curl": async (stage) => {
    const { page } = stage;
    await stage.board("#/me");
    const bar = page.getByRole("region", called("Development"));
    await unfold(page, "Faults");
    await bar.getByRole("spinbutton", called("Share of deliveries that fail")).fill("1");
    await bar.getByRole("spinbutton", called("Extra latency in ms")).fill("0");
    await bar.getByRole("button", called("Make faults")).click();
    await eventually("the lever was pulled", () => pulled(stage).length === 1);
    assert.deepEqual(pulled(stage)[0], { deliveryFailureRate: 1, extraLatencyMs: 0 });
    await bar.getByRole("button", called("No faults")).click();
    await eventually("and put back", () => pulled(stage).length === 2);
    assert.ok(!pulled(stage)[1].deliveryFailureRate, JSON.stringify(pulled(stage)));

    const region = page.getByRole("region", called("Status message"));
    await region.getByRole("textbox", called("Status message")).fill("It's \"here\" & there");
    await region.getByRole("button", called("Save message")).click();
    await eventually("the message", async () => (await stage.as("ada").presence()).statusMessage);
    await stage.as("ada").patch({ statusMessage: null });
    await unfold(page, "API calls");
    const call = bar.getByRole("listitem").filter({ hasText: "setStatusMessage" }).first();
    await call.getByRole("button", called("Copy as curl")).click();
    const command = await eventually("a command", async () => {
      const copied = await page.evaluate(() => navigator.clipboard.readText());
      return copied.startsWith("curl ") && copied;
    });
    execFileSync("sh", ["-c", command], { env: { ...process.env, no_proxy: "127.0.0.1" }, stdio: "pipe" });
    assert.equal((await stage.as("ada").presence()).statusMessage.message.content, "It's \"here\" & there");
  },

  "the page is small, and asks for nothing but itself and the API": async (stage) => {
    const { page } = stage;
    const session = await stage.context.newCDPSession(page);
    let [bytes, finished] = [0, 0];
    session.on("Network.loadingFinished", ({ encodedDataLength }) => { bytes += encodedDataLength; finished += 1; });
    // The stream does not finish.
    const streams = new Set();
    session.on("Network.responseReceived", ({ requestId, response }) => {
      if (response.mimeType === "text/event-stream") streams.add(requestId);
    });
    session.on("Network.dataReceived", ({ requestId, encodedDataLength, dataLength }) => {
      if (streams.has(requestId)) bytes += encodedDataLength || dataLength;
    });
    await session.send("Network.enable");
    await stage.board();
    await stage.row(BEN).waitFor();
    await shows(stage.row(BEN), "Offline");
    await page.waitForLoadState("load");
    const assets = stage.requests.filter((request) => new URL(request.url()).pathname.startsWith("/porchlight/board/"));
    console.log(`        ${bytes} bytes in ${finished} answers, ${assets.length} of them assets`);
    assert.ok(bytes > 0 && bytes <= LOAD_MAX, `${bytes} bytes`);
    const bodies = await Promise.all(assets.map(async (request) => (await request.response()).headers()));
    assert.ok(bodies.every((headers) => headers["x-content-type-options"] === "nosniff"), JSON.stringify(bodies));
    // Nothing that is not used is loaded twice.
    const paths = assets.map((request) => new URL(request.url()).pathname);
    assert.deepEqual(paths.filter((path, at) => paths.indexOf(path) !== at), [], "asked for twice");
  },
});

/** The toggle of a filter, whose name tells how many there are. */
function filter(page, name) {
  return page.getByRole("button", called(name));
}

/** The words of the headings in the list, without their counts. */
async function headings(page) {
  const found = await page.locator("view-people").getByRole("heading", { level: 2 }).allInnerTexts();
  return found.map((text) => text.replace(/[\s\d(),]+$/, ""));
}

/** `availability/activity` of somebody, as they see it themselves. */
async function pair(somebody) {
  const { availability, activity } = await somebody.presence();
  return `${availability}/${activity}`;
}

/** What the lever of faults was asked for. */
function pulled(stage) {
  const levers = stage.requests.filter((request) => request.url().endsWith("/porchlight/dev/faults"));
  return levers.map((request) => request.postDataJSON());
}

/** Somebody who takes notifications until told not to. */
async function receive() {
  let [count, status] = [0, 202];
  const server = createServer((request, response) => {
    request.resume();
    count += 1;
    response.writeHead(status).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}/presence`,
    count: () => count,
    refuse: () => { status = 500; },
    close: () => server.close(),
  };
}

function subscribe(stage, notificationUrl) {
  return stage.as(`ada@${DEMO}`).call("POST", "/v1.0/subscriptions", {
    changeType: "updated",
    resource: `communications/presences/${BEN}`,
    notificationUrl,
    expirationDateTime: new Date(Date.now() + 50 * 60_000).toISOString(),
  });
}
