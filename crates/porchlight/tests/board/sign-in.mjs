// Signing in to the board with an identity provider, and all that follows.
//
//   node sign-in.mjs URL ISSUER LIMITED UNCONFIGURED
//
// URL is that of a server in production whose people, Ada and Ben, sign in with the provider at ISSUER, which asks for
// an account and nothing else; its tokens are good for some seconds. LIMITED is another one, whose board asks for no
// more than Presence.Read. UNCONFIGURED has not been told how people sign in to its board. See stage.mjs.

import assert from "node:assert/strict";

import { called, eventually, play, shows } from "./stage.mjs";

const [url, issuer, limited, unconfigured] = process.argv.slice(2);

await play(url, {
  "people sign in, see each other, and stay signed in until they sign out": async (stage) => {
    const { page } = stage;
    await page.goto("/#/me");
    await signIn(page, "ada");
    // Where they wanted to go, and without a trace of the code.
    await page.waitForURL(`${url}/#/me`);
    await page.getByRole("heading", called("Ada Lovelace")).first().waitFor();
    const urls = stage.requests.map((request) => new URL(request.url()));
    const asked = urls.find((to) => to.searchParams.has("code_challenge"));
    assert.equal(asked.searchParams.get("code_challenge_method"), "S256");
    for (const name of ["state", "nonce"]) assert.ok(asked.searchParams.get(name).length >= 22, `${asked}`);
    const kept = await page.evaluate(() => JSON.stringify(localStorage));
    assert.ok(!kept.includes("eyJ"), `tokens are kept for longer than the tab is open: ${kept}`);

    const presence = page.getByRole("region", called("Presence"));
    await presence.getByRole("radio", called("Busy")).check();
    await presence.getByRole("button", called("Set presence")).click();
    await page.getByRole("link", called("People")).click();
    const row = (name) => page.getByRole("listitem").filter({ hasText: name });
    await shows(row("Ada Lovelace"), "Busy");
    await row("Ben Okafor").waitFor();

    // The stream ends with its token, and goes on with the next one. Nobody notices.
    const streams = () => stage.requests.filter((request) => request.headers().accept === "text/event-stream").length;
    await eventually("the stream was opened with three tokens", () => streams() >= 3, 20_000);
    assert.ok(renewals(stage).length >= 2, "tokens are renewed");
    assert.equal(await page.getByRole("status").filter({ hasText: "Reconnecting" }).count(), 0);
    await page.getByRole("link", called("Me")).click();
    await presence.getByRole("radio", called("Do not disturb")).check();
    await presence.getByRole("button", called("Set presence")).click();
    await page.getByRole("link", called("People")).click();
    await shows(row("Ada Lovelace"), "Do not disturb");
    await page.reload();
    await shows(row("Ada Lovelace"), "Do not disturb");

    await page.getByRole("button", called("Sign out")).click();
    // The provider asks whether that is so.
    await page.waitForURL((to) => to.origin === issuer);
    await page.getByRole("button", called("Sign out")).click();
    await page.waitForURL((to) => to.origin === url);
    await page.getByRole("button", called("Sign in")).waitFor();
    assert.ok(!(await page.evaluate(() => JSON.stringify(sessionStorage))).includes("eyJ"), "tokens are left");
    await page.reload();
    await page.getByRole("button", called("Sign in")).waitFor();
    // And somebody else can come.
    await signIn(page, "ben");
    await page.getByRole("banner").getByText("Ben Okafor").waitFor();
  },

  "an answer that the page has not asked for signs nobody in": async (stage) => {
    const { page } = stage;
    await page.goto("/?code=abc&state=def");
    await page.getByRole("alert").waitFor();
    await page.getByRole("button", called("Sign in")).waitFor();
    assert.ok(!page.url().includes("code="), page.url());
    assert.deepEqual(stage.requests.filter((request) => request.method() === "POST"), []);
  },

  "who may see nobody else is told which permission that takes": async (stage) => {
    const { page } = stage;
    // What the browser says of the refusal.
    stage.pardon(/403 \(Forbidden\)/);
    await page.goto(`${limited}/`);
    await signIn(page, "ada");
    await shows(page.getByRole("main"), "Presence.Read.All");
    await page.getByRole("navigation").getByRole("link", called("Me")).click();
    await page.getByRole("heading", called("Ada Lovelace")).first().waitFor();
    const presence = page.getByRole("region", called("Presence"));
    await presence.getByRole("radio", called("Busy")).check();
    await presence.getByRole("button", called("Set presence")).click();
    await shows(presence, "Presence.ReadWrite");
  },

  "a server that was not told how people sign in says what to tell it": async (stage) => {
    await stage.page.goto(unconfigured);
    const main = stage.page.getByRole("main");
    for (const words of ["[board]", "client_id", `${unconfigured}/`]) await shows(main, words);
    assert.equal(await stage.page.getByRole("button", called("Sign in")).count(), 0);
  },
}, { fresh: false, origins: [issuer, limited, unconfigured] });

/** From the board's own page, by the provider's. */
async function signIn(page, account) {
  await page.getByRole("button", called("Sign in")).click();
  await page.waitForURL((to) => to.origin === issuer);
  await page.getByLabel("Account").fill(account);
  await page.getByRole("button", called("Sign in")).click();
  await page.waitForURL((to) => to.origin !== issuer);
}

/** Requests for tokens by a refresh token. */
function renewals(stage) {
  return stage.requests.filter((request) => /grant_type=refresh_token/.test(request.postData() ?? ""));
}
