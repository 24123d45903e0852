// Renewing a token, with a provider that says yes, says no, or is away.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Api } from "../assets/api.js";
import { SignIn } from "../assets/sign-in.js";

const TOKENS = "porchlight.tokens";
const OLD = { access: "old", refresh: "again", identity: null, renew: 0 };
const PROVIDER = { metadata: "https://id.example/metadata", clientId: "board", scopes: "openid", parameters: {} };
const UNTOUCHED = { fetch: globalThis.fetch };

/** What the browser would keep. @type {Map<string, string>} */
const kept = new Map();

/** How the token endpoint answers. @type {() => Response | Promise<Response>} */
let answer;

beforeEach(() => {
  kept.clear();
  kept.set(TOKENS, JSON.stringify(OLD));
  globalThis.sessionStorage = /** @type {any} */ ({
    getItem: (/** @type {string} */ name) => kept.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ value) => kept.set(name, value),
    removeItem: (/** @type {string} */ name) => kept.delete(name),
  });
  globalThis.fetch = /** @type {any} */ (async (/** @type {string} */ url) => (
    url === PROVIDER.metadata ? Response.json({ token_endpoint: "https://id.example/token" }) : answer()
  ));
});

afterEach(() => {
  globalThis.fetch = UNTOUCHED.fetch;
});

const renewed = () => Response.json({ access_token: "new", expires_in: 3600 });

test("a token is renewed before it ends", async () => {
  answer = renewed;
  const signIn = new SignIn(PROVIDER);
  assert.equal(await signIn.token(), "new");
  assert.equal(JSON.parse(kept.get(TOKENS) ?? "").refresh, "again", "the refresh token is good once more");
});

test("whoever signs out while a token is renewed stays signed out", async () => {
  const signIn = new SignIn(PROVIDER);
  answer = () => {
    kept.delete(TOKENS);
    return renewed();
  };
  assert.equal(await signIn.renew(), false);
  assert.equal(kept.has(TOKENS), false);
});

test("a provider that says no ends it, and one that is away does not", async () => {
  const signIn = new SignIn(PROVIDER);
  const away = [
    () => Promise.reject(new TypeError("no network")),
    () => Response.json({ error: "temporarily_unavailable" }, { status: 503 }),
  ];
  for (answer of away) {
    await assert.rejects(signIn.renew());
    assert.equal(await signIn.token(), "old");
  }
  answer = () => Response.json({ error: "invalid_grant" }, { status: 400 });
  assert.equal(await signIn.token(), "");
  assert.equal(kept.has(TOKENS), false);
});

test("a stream whose token is refused when it has just been renewed is refused for good", { timeout: 10_000 }, async () => {
  let [opened, renewals] = [0, 0];
  globalThis.fetch = /** @type {any} */ (async () => {
    opened += 1;
    return Response.json({ error: { code: "Unauthorized", message: "not you" } }, { status: 401 });
  });
  globalThis.location = /** @type {any} */ ({ origin: "https://presence.example" });
  const session = {
    token: async () => "new",
    renew: async () => {
      renewals += 1;
      // Where it would go on for ever.
      return renewals < 5;
    },
  };
  const api = new Api(/** @type {any} */ (session));
  const follower = { onEvent: () => {}, signal: new AbortController().signal };
  await assert.rejects(api.stream("/v1.0/communications/presences", follower), { status: 401 });
  assert.deepEqual([opened, renewals], [2, 1]);
});
