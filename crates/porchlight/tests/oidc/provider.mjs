// An OpenID Connect provider that is not ours, for the tests of whose tokens are taken.
//
//   node provider.mjs
//
// It listens on a free port of 127.0.0.1 and says where on standard output: "listening on http://127.0.0.1:PORT".
// That is its issuer, too. It runs until it is ended. Whoever signs in is let in at once, as the login_hint says, and
// has consented to everything. POST /new-keys puts it under other keys; those of before are gone.
//
// Two clients are registered: "reporter", with the secret "reporter's secret", for tokens of its own right, and
// "desktop", a public one that sends people here to sign in (authorization code with PKCE). What a token is for, how
// it is signed and how long it lives is asked for by the resource indicators (RFC 8707) below.
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
};

const { Provider, errors } = await library();
const server = createServer((request, response) => answer(request, response));
server.listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;
let provider = make();
console.log(`listening on ${issuer}`);

async function answer(request, response) {
  if (request.url.startsWith("/interaction/")) {
    const { params } = await provider.interactionDetails(request, response);
    const result = { login: { accountId: params.login_hint }, consent: {} };
    return provider.interactionFinished(request, response, result);
  }
  if (request.url === "/new-keys" && request.method === "POST") {
    provider = make();
    return response.writeHead(204).end();
  }
  return provider.callback()(request, response);
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
    ],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo: (_, indicator) => resource(indicator) },
    },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
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
  grant.addOIDCScope("openid");
  for (const indicator of Object.keys(RESOURCES)) grant.addResourceScope(indicator, SCOPES);
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
