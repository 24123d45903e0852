// The board for keyboards, screen readers and phones, in both themes. Pictures of all of it are kept.
//
//   node looks.mjs URL
//
// URL is that of a development server with the demo people, which takes subscriptions without asking endpoints for a
// proof. axe-core is looked for where Playwright is. See stage.mjs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { BEN, DEMO, called, chosen, eventually, installed, pick, play, shows, unfold } from "./stage.mjs";

const [url] = process.argv.slice(2);
// What it is worth as an expression is of no interest.
const axe = `${readFileSync(installed("axe-core/axe.min.js"), "utf8")};0`;

/** The width of a narrow phone, in px. */
const PHONE = 360;

/** Every page of the board, and what else covers one: how to come there. */
const PAGES = {
  "people": (stage) => stage.board(),
  "people-by-availability": async (stage) => {
    await stage.board();
    await pick(stage.page.getByRole("combobox", called("Group by")), "Availability");
    await stage.page.getByRole("heading", { name: /^Busy/ }).waitFor();
  },
  "person": async (stage) => {
    await stage.board(`#/people/${BEN}`);
    await stage.page.locator("[data-layer][aria-current=true]").waitFor();
  },
  "me": async (stage) => {
    await stage.board("#/me");
    await stage.page.getByRole("radio", called("Available")).waitFor();
  },
  "subscriptions": async (stage) => {
    await stage.board("#/subscriptions");
    await stage.page.locator("[data-subscription]").first().waitFor();
  },
  "question": async (stage) => {
    await PAGES.subscriptions(stage);
    await stage.page.locator("[data-subscription]").first().getByRole("button", called("End")).click();
    await stage.page.getByRole("dialog").waitFor();
  },
  "faults": async (stage) => {
    await stage.board("#/me");
    await unfold(stage.page, "Faults");
  },
  "calls": async (stage) => {
    await stage.board("#/me");
    await unfold(stage.page, "API calls");
    await stage.page.getByRole("button", called("Copy as curl")).first().waitFor();
  },
  "sign-in": async (stage) => {
    await stage.board();
    await stage.page.getByRole("button", called("Sign out")).click();
    await stage.page.getByRole("heading", { level: 1 }).waitFor();
  },
};

const scenes = {};

for (const [name, open] of Object.entries(PAGES)) {
  scenes[`${name} without anything that axe-core finds serious, in both themes, and no wider than a phone`] = look;

  async function look(stage) {
    const { page } = stage;
    await populate(stage);
    await page.emulateMedia({ reducedMotion: "reduce" });
    await open(stage);
    const found = [];
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await stage.picture(`${name}-${colorScheme}`);
      for (const line of await violations(page)) found.push(`${colorScheme}: ${line}`);
    }
    await page.setViewportSize({ width: PHONE, height: 740 });
    const widest = () => page.evaluate(() => document.scrollingElement.scrollWidth);
    // What is laid out by a script needs a moment.
    const fits = await eventually("it fits", async () => (await widest()) <= PHONE, 1000).catch(() => false);
    if (!fits) found.push(`${await widest()} px wide: ${await culprits(page)}`);
    await stage.picture(`${name}-phone`);
    none("it is otherwise", found);
  }
}

Object.assign(scenes, {
  "the theme is switched, and stays": async (stage) => {
    const { page } = stage;
    await stage.board();
    const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await paper();
    await page.getByRole("button", called("Dark mode")).click();
    await eventually("dark", async () => brightness(await paper()) < brightness(light));
    const dark = await paper();
    await page.reload();
    await page.getByRole("button", called("Light mode")).waitFor();
    assert.equal(await paper(), dark);
    await page.getByRole("button", called("Light mode")).click();
    await eventually("light", async () => (await paper()) === light);
  },

  "every control of every page is reached by Tab, and shows that it is": async (stage) => {
    await populate(stage);
    const { page } = stage;
    const wrong = [];
    for (const name of ["people", "person", "me", "subscriptions", "faults", "calls"]) {
      await page.goto("about:blank");
      await PAGES[name](stage);
      for (const line of await walk(page)) wrong.push(`${name}: ${line}`);
    }
    none("it is otherwise", wrong);
  },

  "the list of people is walked by arrows, and the focus stays while everything changes": async (stage) => {
    await populate(stage);
    await stage.board();
    const { page } = stage;
    await pick(page.getByRole("combobox", called("Group by")), "Availability");
    const here = () => page.evaluate(() => document.activeElement.closest("[data-person]")?.dataset.person);
    await tabTo(page, page.getByRole("list", called("People")));
    const first = await here();
    await page.keyboard.press("ArrowDown");
    const second = await eventually("the next person", async () => (await here()) !== first && here());
    await page.keyboard.press("ArrowUp");
    await eventually("the one before", async () => (await here()) === first);
    await page.keyboard.press("End");
    await eventually("the last person", async () => ![first, second].includes(await here()));
    await page.keyboard.press("Home");
    await eventually("the first person", async () => (await here()) === first);
    for (let steps = 0; (await here()) !== BEN; steps += 1) {
      assert.ok(steps < 12, "Ben is not on the way");
      await page.keyboard.press("ArrowDown");
    }

    const others = ["cleo", "dan", "eva", "finn", "grace"];
    for (const availability of ["Away", "DoNotDisturb", "Available", "BeRightBack"]) {
      for (const who of [...others, "ben"]) await stage.as(who).patch({ availability });
      await shows(stage.row(BEN), await stage.words(availability));
      await page.getByRole("button", { name: new RegExp(`\\(${others.length + 1}\\)$`) }).first().waitFor();
      assert.equal(await here(), BEN, "the focus is with somebody else, or with nobody");
    }
    await page.keyboard.press("Enter");
    await page.getByRole("heading", called("Ben Okafor")).waitFor();
    // Whoever comes to a page begins at its beginning, and back is back.
    await page.goBack();
    await stage.row(BEN).waitFor();
  },

  "all of one's own presence is set by keyboard": async (stage) => {
    const ada = stage.as("ada");
    await stage.board("#/me");
    const { page } = stage;
    const region = (name) => page.getByRole("region", called(name));
    const button = (name) => page.getByRole("button", called(name));

    await tabTo(page, region("Presence").getByRole("radiogroup", called("Presence")));
    await page.keyboard.press("Space");
    await page.keyboard.press("ArrowDown");
    await tabTo(page, region("Presence").getByRole("combobox", called("For")));
    await page.keyboard.type("2");
    assert.equal(await chosen(region("Presence").getByRole("combobox", called("For"))), "2 hours");
    await tabTo(page, button("Set presence"));
    await page.keyboard.press("Enter");
    await eventually("busy", async () => (await ada.presence()).availability === "Busy");
    // Whoever does not see it hears it.
    const voice = page.locator("[aria-live=polite], [role=status]").filter({ hasText: /presence/i }).first();
    await voice.waitFor({ state: "attached" });

    await tabTo(page, region("Status message").getByRole("textbox", called("Status message")));
    await page.keyboard.type("By keyboard");
    // What others write meanwhile takes nothing away from whoever is writing.
    await ada.patch({ availability: "DoNotDisturb", statusMessage: { message: { content: "Somebody else's" } } });
    await shows(page.getByRole("main"), "Do not disturb");
    await shows(page.getByRole("main"), "Somebody else's");
    await page.keyboard.type(", whole");
    await tabTo(page, button("Save message"));
    await page.keyboard.press("Enter");
    const said = async () => (await ada.presence()).statusMessage.message.content;
    await eventually("the message", async () => (await said()) === "By keyboard, whole");

    await tabTo(page, region("Out of office").getByRole("checkbox"));
    await page.keyboard.press("Space");
    await tabTo(page, region("Out of office").getByRole("textbox", called("Automatic reply")));
    await page.keyboard.type("Away");
    await tabTo(page, button("Save out of office"));
    await page.keyboard.press("Enter");
    await eventually("out of office", async () => (await ada.presence()).outOfOfficeSettings.message === "Away");

    await tabTo(page, region("Work location").getByRole("radiogroup", called("Where I work")));
    await page.keyboard.press("Space");
    await tabTo(page, button("Save location"));
    await page.keyboard.press("Enter");
    await eventually("a location", async () => (await ada.presence()).workLocation?.workLocationType === "office");
  },

  "a question is answered by keyboard, and the focus goes back to where it came from": async (stage) => {
    await populate(stage);
    const { page } = stage;
    await PAGES.subscriptions(stage);
    const end = page.locator("[data-subscription]").first().getByRole("button", called("End"));
    const dialog = page.getByRole("dialog", called("End this subscription?"));
    await tabTo(page, end);
    await page.keyboard.press("Enter");
    await dialog.waitFor();
    const isWithin = () => dialog.evaluate((element) =>
      element.contains(document.activeElement) || document.activeElement === document.body);
    for (let presses = 0; presses < 6; presses += 1) {
      assert.ok(await isWithin(), "the focus is behind the question");
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "hidden" });
    await eventually("the focus is back", () => end.evaluate((element) => element === document.activeElement));
  },

  "nothing moves for whoever wants that": async (stage) => {
    const { page } = stage;
    await page.emulateMedia({ reducedMotion: "reduce" });
    await stage.board();
    await stage.as("ben").patch({ availability: "Busy" });
    await shows(stage.row(BEN), "Busy");
    const moving = await page.evaluate(() => document.getAnimations().filter(({ playState, effect }) =>
      playState === "running" && effect.getComputedTiming().duration > 10).length);
    assert.equal(moving, 0);
  },
});

await play(url, scenes);

/** Fails unless there is nothing. */
function none(what, found) {
  if (found.length > 0) throw new Error(`${what}:\n${found.join("\n")}`);
}

/** Something of everything. */
async function populate(stage) {
  const states = { cleo: "DoNotDisturb", dan: "BeRightBack", eva: "Away", finn: "Available", grace: "Busy" };
  for (const [who, availability] of Object.entries(states)) await stage.as(who).patch({ availability });
  await stage.as("ben").session("Available", "Available");
  await stage.as(`ben@${DEMO}`).patch({
    availability: "Busy",
    activity: "InACall",
    expirationDuration: "PT8H",
    statusMessage: { message: { content: "Talking about the release", contentType: "text" } },
    workLocation: { workLocationType: "remote" },
  });
  await stage.as("eva").patch({ outOfOfficeSettings: { isOutOfOffice: true, message: "Back in January" } });
  await stage.as("ada").session("Available", "Available");
  // Nobody listens there: its health is poor.
  await stage.as("ada").call("POST", "/v1.0/subscriptions", {
    changeType: "updated",
    resource: `communications/presences/${BEN}`,
    notificationUrl: "http://127.0.0.1:9/presence",
    expirationDateTime: new Date(Date.now() + 50 * 60_000).toISOString(),
  });
}

/** What axe-core thinks to be serious or critical, a line each. */
async function violations(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return grave.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
    `${id}: ${html.slice(0, 200)}: ${failureSummary.split("\n").slice(1).join(" ").trim()}`));
}

/** Presses Tab until the focus is in what is looked for. */
async function tabTo(page, locator) {
  // A list whose rows are put into their places has no size of its own.
  await locator.waitFor({ state: "attached" });
  for (let presses = 0; presses < 120; presses += 1) {
    if (await locator.evaluate((element) => element.contains(document.activeElement))) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`Tab does not lead to ${locator}`);
}

/** Walks over the page by Tab, and says what was not reached, or did not show that it was. */
async function walk(page) {
  const wrong = new Set();
  await page.evaluate(() => {
    // From the top, wherever somebody has clicked before.
    document.body.tabIndex = -1;
    document.body.focus();
    document.body.removeAttribute("tabindex");
    window.reached = new Set();
  });
  for (let presses = 0; presses < 250; presses += 1) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === document.body) return { isAgain: window.reached.size > 0 };
      const isAgain = window.reached.has(element);
      window.reached.add(element);
      const marks = [element, element.parentElement, element.nextElementSibling].filter(Boolean).map((one) => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
        return (outlineStyle !== "none" && Number.parseFloat(outlineWidth) > 0) || boxShadow !== "none";
      });
      const { left, top, width, height } = element.getBoundingClientRect();
      // Radio buttons and the like may be drawn by what is around them.
      const there = document.elementFromPoint(left + width / 2, top + height / 2);
      const isSeen = there !== null
        && (element.contains(there) || there.contains(element) || there.closest("label")?.contains(element));
      return { isAgain, isMarked: marks.some(Boolean), isSeen, what: element.outerHTML.slice(0, 160) };
    });
    if (found.isAgain) break;
    if (found.what && !found.isMarked) wrong.add(`no mark of the focus: ${found.what}`);
    if (found.what && !found.isSeen) wrong.add(`covered, or off the screen, when it has the focus: ${found.what}`);
  }
  const missed = await page.evaluate(() => {
    const controls = document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']");
    const radios = (one) => document.querySelectorAll(`input[type=radio][name="${one.name}"]`);
    // Of radio buttons one is reached by Tab, and of a list of links one: arrows do the rest.
    const links = (one) => one.closest("[role=list]")?.querySelectorAll("a") ?? [];
    const isAny = (ones) => [...ones].some((one) => window.reached.has(one));
    const isReached = (one) => window.reached.has(one)
      || (one.type === "radio" && isAny(radios(one))) || (one.tabIndex < 0 && isAny(links(one)));
    const isThere = (one) => one.checkVisibility() && !one.disabled;
    return [...controls].filter((one) => isThere(one) && !isReached(one)).map((one) => one.outerHTML.slice(0, 160));
  });
  return [...wrong, ...missed.map((what) => `not reached by Tab: ${what}`)];
}

/** What sticks out at the right of the page. */
function culprits(page) {
  return page.evaluate(() => [...document.body.querySelectorAll("*")]
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1).slice(0, 5)
    .map((one) => `${one.tagName.toLowerCase()}.${one.className}`).join(", "));
}

/** The sum of the channels of a colour. */
function brightness(colour) {
  return colour.match(/[\d.]+/g).slice(0, 3).reduce((sum, channel) => sum + Number(channel), 0);
}
