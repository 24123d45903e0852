// A page whose server goes away and comes back, twice.
//
//   node restarts.mjs URL
//
// URL is that of a development server with the demo people, of whom nobody has a presence. Whoever runs this is told
// by the lines on stdout what to do: on "live" and on "back" to end the server; on "away" to start it again on the same
// port and data, where Ben is in a meeting by then; on "away again" to start one there that knows nothing of that.
// See stage.mjs.

import assert from "node:assert/strict";

import { BEN, called, play, shows } from "./stage.mjs";

/** How long coming back may take, in ms: the page waits longer each time that it has tried in vain. */
const COMING_BACK = 15_000;

const [url] = process.argv.slice(2);

await play(url, {
  "a page whose server was away says so, comes back by itself, and has missed nothing": async (stage) => {
    // What the browser says of a server that is away.
    stage.pardon(/net::ERR_/);
    await stage.board();
    const { page } = stage;
    const banner = page.getByRole("status").filter({ hasText: "Reconnecting" });
    await shows(stage.row(BEN), await stage.words("Offline"));
    assert.equal(await banner.count(), 0);
    await page.evaluate(() => { window.isTheSame = true; });
    console.log("live");

    await banner.waitFor();
    await shows(stage.row(BEN), await stage.words("Offline"));
    console.log("away");
    await banner.waitFor({ state: "hidden", timeout: COMING_BACK });
    await shows(stage.row(BEN), await stage.words("InAMeeting"));
    console.log("back");

    await banner.waitFor();
    console.log("away again");
    await banner.waitFor({ state: "hidden", timeout: COMING_BACK });
    await shows(stage.row(BEN), await stage.words("Offline"));
    await page.getByRole("button", called("Offline (12)")).waitFor();
    await page.getByRole("button", called("Busy (0)")).waitFor();
    assert.equal(await page.evaluate(() => window.isTheSame), true, "the page was loaded anew");
  },
}, { fresh: false });
