// Signs in with Microsoft's own library for Node.js, MSAL, in every way that a person can.
//
//   NODE_EXTRA_CA_CERTS=ca.pem node sign-in.mjs server tenant application person
//
// server is the https URL of a server in development mode, person a user principal name. Standard output: for each way its
// name, and who GET /v1.0/me is with its token. Exit status 0: every way has worked; 2: wrong arguments, or no library.
//
// The library is npm's @azure/msal-node. It is looked for in the node_modules of the working directory and the folders above,
// then in NODE_PATH.

import { createRequire } from "node:module";
import { join } from "node:path";

const [server, tenant, clientId, person] = process.argv.slice(2);
if (person === undefined) stop(2, "usage: node sign-in.mjs server tenant application person");

const { CryptoProvider, PublicClientApplication } = library();
const scopes = ["api://porchlight/Presence.Read", "api://porchlight/User.Read"];
// Nobody listens there: the form that the browser would send to it is read and not sent.
const redirectUri = "http://localhost:9/signed-in";

const app = () => new PublicClientApplication({
  auth: { clientId, authority: `${server}/${tenant}`, knownAuthorities: [new URL(server).host] },
});

const browse = async (url) => (await fetch(url)).text();

const unescaped = (text) => text.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&");

/** Where the page at this address leads to pick the person. */
async function pick(url) {
  const links = [...(await browse(url)).matchAll(/<a href="([^"]*)">(.*?)<\/a>/gs)];
  const [, link] = links.find(([, , text]) => text.includes(person));
  return new URL(unescaped(link), url);
}

/** What is in the form of a page. */
function form(page) {
  const fields = page.matchAll(/<input [^>]*name="([^"]*)"[^>]*value="([^"]*)"/g);
  return Object.fromEntries([...fields].map(([, name, value]) => [name, unescaped(value)]));
}

async function tell(way, { accessToken }) {
  const me = await fetch(`${server}/v1.0/me`, { headers: { Authorization: `Bearer ${accessToken}` } });
  console.log(way, (await me.json()).userPrincipalName);
}

await tell("device code", await app().acquireTokenByDeviceCode({ scopes, deviceCodeCallback() {} }));

const browser = app();
const { challenge, verifier } = await new CryptoProvider().generatePkceCodes();
const pkce = { codeChallenge: challenge, codeChallengeMethod: "S256" };
const authUrl = await browser.getAuthCodeUrl({ scopes, redirectUri, responseMode: "form_post", ...pkce });
const { code } = form(await browse(await pick(authUrl)));
const token = await browser.acquireTokenByCode({ scopes, redirectUri, code, codeVerifier: verifier });
await tell("authorization code", token);
const { account } = token;
await tell("refresh token", await browser.acquireTokenSilent({ scopes, account, forceRefresh: true }));

function library() {
  try {
    return createRequire(join(process.cwd(), "package.json"))("@azure/msal-node");
  } catch (error) {
    return stop(2, `the library is missing, npm install @azure/msal-node first: ${error.message}`);
  }
}

function stop(status, line) {
  console.error(line);
  process.exit(status);
}
