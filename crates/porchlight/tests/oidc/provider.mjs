// An OpenID Connect provider that is not ours, for the tests of whose tokens are taken.
//
//   node provider.mjs
//
// It listens on a free port of 127.0.0.1 and says where on standard output: "listening on http://127.0.0.1:PORT".
// That is its issuer, too. It runs until it is ended. Whoever signs in is let in at once, as the login_hint says; without
// one there is a page that asks for the account and for nothing else. Everybody has consented to everything. POST
// /new-keys puts it under other keys; those of before are gone.
//
// Three clients are registered: "reporter", with the secret "reporter's secret", for tokens of its own right;
// "desktop", a public one that sends people here to sign in (authorization code with PKCE); and "board", a page that
// does the same in a browser, from "/" of any port of 127.0.0.1, and renews what it got with refresh tokens. What a
// token is for, how it is signed and how long it lives is asked for by the resource indicators (RFC 8707) below.
//
// The provider is npm's oidc-provider 9.13.3. It is looked for in the node_modules of the working directory and the
// folders above, then in NODE_PATH. It warns of Node.js 20, on which it was found to do all that is asked of it here.

import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const SCOPES = "Presence.Read Presence.Read.All Presence.ReadWrite Presence.ReadWrite.All";
const PORCHLIGHT = { audience: "api://porchlight", scope: SCOPES, accessTokenFormat: "jwt", accessTokenTTL: 600 };
const signed = (alg) => ({ ...PORCHLIGHT, jwt: { sign: { alg } } });
const RESOURCES = {
  "api://porchlight": signed("RS256"),
  "api://porchlight/ps256": signed("PS256"),
  "api://porchlight/es256": signed("ES256"),
  "api://porchlight/eddsa": signed("EdDSA"),
  "api://porchlight/roles": signed("RS256"),
  "api://porchlight/short": { ...signed("RS256"), accessTokenTTL: 1 },
  "api://porchlight/opaque": { ...PORCHLIGHT, accessTokenFormat: "opaque" },
  "api://elsewhere": { ...signed("RS256"), audience: "api://elsewhere" },
  "api://porchlight/board": {
    ...signed("RS256"),
    scope: `${SCOPES} Subscription.Read.All`,
    accessTokenTTL: 3,
  },
};

const { Provider, errors } = await library();
const server = createServer((request, response) => answer(request, response));
server.listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;
let provider = make();
console.log(`listening on ${issuer}`);

async function answer(request, response) {
  const url = new URL(request.url, issuer);
  if (url.pathname.startsWith("/interaction/")) {
    const { params, session } = await provider.interactionDetails(request, response);
    // Who has a session here already is asked for consent alone.
    const account = params.login_hint ?? session?.accountId ?? url.searchParams.get("account");
    if (account === null) {
      response.setHeader("content-type", "text/html; charset=utf-8");
      return response.end(page('<form><label>Account <input name="account"></label><button>Sign in</button></form>'));
    }
    const result = { login: { accountId: account }, consent: {} };
    return provider.interactionFinished(request, response, result);
  }
  if (request.url === "/new-keys" && request.method === "POST") {
    provider = make();
    return response.writeHead(204).end();
  }
  return provider.callback()(request, response);
}

function page(form) {
  const head = '<title>The provider</title><link rel="icon" href="data:,">';
  return `<!doctype html><html lang="en">${head}<main>${form}</main></html>`;
}

function make() {
  const made = new Provider(issuer, {
    clients: [
      {
        client_id: "reporter",
        client_secret: "reporter's secret",
        grant_types: ["client_credentials"],
        response_types: [],
        redirect_uris: [],
      },
      {
        client_id: "desktop",
        token_endpoint_auth_method: "none",
        application_type: "native",
        redirect_uris: ["http://127.0.0.1/signed-in"],
      },
      {
        client_id: "board",
        token_endpoint_auth_method: "none",
        // Only of these may the port be any, and the port of a server is not known before it runs.
        application_type: "native",
        grant_types: ["authorization_code", "refresh_token"],
        redirect_uris: ["http://127.0.0.1/"],
        post_logout_redirect_uris: ["http://127.0.0.1/"],
      },
    ],
    claims: { openid: ["sub"], profile: ["name", "preferred_username"] },
    clientBasedCORS: (_, origin, client) => client.clientId === "board" && origin.startsWith("http://127.0.0.1:"),
    issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo: (_, indicator) => resource(indicator) },
      rpInitiatedLogout: {
        logoutSource: (context, form) => {
          context.body = page(`${form}<button form="op.logoutForm" name="logout" value="yes">Sign out</button>`);
        },
      },
    },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: id, preferred_username: id }) }),
    loadExistingGrant: (context) => consent(context),
    // What a provider gives an application beside its scopes is the provider's own matter; here it is a list of roles.
    extraTokenClaims: (_, token) =>
      token.resourceServer?.identifier() === "api://porchlight/roles" ? { roles: token.scope.split(" ") } : undefined,
    jwks: { keys: [key("rsa", { modulusLength: 2048 }), key("ec", { namedCurve: "P-256" }), key("ed25519")] },
    cookies: { keys: ["a secret of cookies"] },
    ttl: { Interaction: 60, Grant: 600, Session: 600 },
  });
  made.on("server_error", (_, error) => console.error(error));
  return made;
}

// The RSA key says nothing of its algorithm, so that it signs by RS256 and by PS256.
function key(type, options) {
  return generateKeyPairSync(type, options).privateKey.export({ format: "jwk" });
}

function resource(indicator) {
  const found = RESOURCES[indicator];
  if (found === undefined) throw new errors.InvalidTarget();
  return found;
}

async function consent({ oidc }) {
  const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
  grant.addOIDCScope("openid profile offline_access");
  for (const indicator of Object.keys(RESOURCES)) grant.addResourceScope(indicator, RESOURCES[indicator].scope);
  await grant.save();
  return grant;
}

function library() {
  try {
    const require = createRequire(join(process.cwd(), "package.json"));
    return import(pathToFileURL(require.resolve("oidc-provider")));
  } catch (error) {
    console.error(`the library is missing, npm install oidc-provider@9.13.3 first: ${error.message}`);
    return process.exit(2);
  }
}
