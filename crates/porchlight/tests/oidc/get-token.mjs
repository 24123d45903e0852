// Gets tokens of an OpenID Connect provider, as programs do. What the token endpoint answers is on standard output, as
// JSON.
//
//   node get-token.mjs issuer resource scopes          for the client "reporter", of its own right (RFC 6749, 4.4)
//   node get-token.mjs issuer resource scopes person   for the person, signed in by the client "desktop": with an
//                                                      authorization code and PKCE (RFC 7636); an ID token, too
//
// Clients and people are those of provider.mjs. Exit status 0: here they are. 1: the provider refuses; why is on
// stderr. 2: wrong arguments.

import { createHash, randomBytes } from "node:crypto";

const SIGNED_IN = "http://127.0.0.1/signed-in";

const [issuer, resource, scopes, person] = process.argv.slice(2);
if (scopes === undefined) stop(2, "usage: node get-token.mjs issuer resource scopes [person]");

const discovery = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
const tokens = person === undefined ? await ofApplication() : await ofPerson();
console.log(JSON.stringify(tokens));

function ofApplication() {
  const secret = Buffer.from(`reporter:${encodeURIComponent("reporter's secret")}`).toString("base64");
  const form = { grant_type: "client_credentials", resource, scope: scopes };
  return post(form, { authorization: `Basic ${secret}` });
}

async function ofPerson() {
  const verifier = randomBytes(32).toString("base64url");
  const code = await signIn({
    client_id: "desktop",
    response_type: "code",
    redirect_uri: SIGNED_IN,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    scope: `openid ${scopes}`,
    login_hint: person,
    resource,
  });
  const grant = { grant_type: "authorization_code", code, code_verifier: verifier, redirect_uri: SIGNED_IN };
  return post({ ...grant, client_id: "desktop", resource });
}

// What a browser does: it goes where it is sent, and brings the cookies that it was given.
async function signIn(query) {
  const cookies = new Map();
  let url = new URL(`${discovery.authorization_endpoint}?${new URLSearchParams(query)}`);
  for (let steps = 0; steps < 10; steps += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, { redirect: "manual", headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      cookies.set(name, value);
    }
    const location = response.headers.get("location");
    if (location === null) stop(1, `${url}: ${response.status} ${await response.text()}`);
    url = new URL(location, url);
    if (url.href.startsWith(SIGNED_IN)) {
      return url.searchParams.get("code") ?? stop(1, url.search);
    }
  }
  return stop(1, "the provider sends on and on");
}

async function post(form, headers) {
  const response = await fetch(discovery.token_endpoint, { method: "POST", headers, body: new URLSearchParams(form) });
  const text = await response.text();
  return response.ok ? JSON.parse(text) : stop(1, `${response.status} ${text}`);
}

function stop(status, line) {
  console.error(line);
  process.exit(status);
}
