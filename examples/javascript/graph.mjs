#!/usr/bin/env node
// Microsoft's own Graph client, as it comes from npm, on a Porchlight server in development mode.
//
//     npm install @microsoft/microsoft-graph-client @azure/identity
//     export NODE_EXTRA_CA_CERTS=porchlight-data/development/ca.pem
//     node graph.mjs https://localhost:8443
//
// The examples in the other languages do the same in the same order. Needs Node.js 20 or newer.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { ClientSecretCredential, DeviceCodeCredential } from "@azure/identity";
import { BatchRequestContent, BatchResponseContent, Client } from "@microsoft/microsoft-graph-client";
import { TokenCredentialAuthenticationProvider }
  from "@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials/index.js";

const [server = "https://localhost:8443"] = process.argv.slice(2);
// The demo tenant and the demo application of development mode. Any application id will do, and any secret.
const tenantId = "9a2f6c10-5b7e-4a55-8c1d-2f6d0c9f1e77";
const clientId = "5f0d3b8a-1c2e-4b6f-8a9d-7e6c5b4a3f21";

// Without the second one, both credentials would ask Microsoft whether this host may issue tokens.
const issuer = { authorityHost: server, disableInstanceDiscovery: true };
// A real issuer has somebody open the page and type the code; this one approves it at once, for Ada.
const userPromptCallback = ({ message }) => console.error(message);
const ada = graph(new DeviceCodeCredential({ tenantId, clientId, userPromptCallback, ...issuer }));
const application = graph(new ClientSecretCredential(tenantId, clientId, "any", issuer));

/** The client, but for this server. It sends tokens by https only, to the hosts that it is given, without their ports. */
function graph(credential) {
  const scopes = ["api://porchlight/.default"];
  const authProvider = new TokenCredentialAuthenticationProvider(credential, { scopes });
  return Client.initWithMiddleware({
    authProvider, baseUrl: server, defaultVersion: "v1.0", customHosts: new Set([new URL(server).hostname]),
  });
}

const pair = ({ availability, activity }) => `${availability}/${activity}`;

// What an application says of somebody; the session's id is the application's.
const session = (availability, activity) => ({
  sessionId: clientId, availability, activity, expirationDuration: "PT1H",
});

const message = (content) => ({ statusMessage: { message: { content, contentType: "text" } } });

const secret = randomUUID();

/** Where the server calls when a presence has changed. `webhook.mjs` has more of what one should do. */
const receiver = createServer(async (request, response) => {
  const token = new URL(request.url, "http://here").searchParams.get("validationToken");
  const body = await text(request);
  // The server asks whether this address wants to be called.
  response.writeHead(200, { "Content-Type": "text/plain" }).end(token);
  for (const { clientState, resourceData } of body ? JSON.parse(body).value : []) {
    if (clientState === secret) receiver.emit("told", resourceData.id);
  }
});

const me = await ada.api("/me").get();
console.log("signed in as", me.displayName);

// Read.
console.log("before:", pair(await ada.api("/me/presence").get()));

// Set: the application says that Ada is in a call, and she says herself what about.
const hers = `/users/${me.id}/presence`;
await application.api(`${hers}/setPresence`).post(session("Busy", "InACall"));
await ada.api("/me/presence/setStatusMessage").post(message("Talking about the release"));
const set = await ada.api("/me/presence").get();
console.log("set:", pair(set), "-", set.statusMessage.message.content);

// Many people in one call.
const people = application.api("/users").filter("department eq 'Engineering'").select("id,displayName");
const { value: users } = await people.get();
const ids = users.map(({ id }) => id);
const { value: presences } = await application.api("/communications/getPresencesByUserId").post({ ids });
users.forEach(({ displayName }, at) => console.log("engineering:", displayName, pair(presences[at])));

// Three calls in one request. Where they go is the batch's: the library takes their hosts off.
const toSet = {
  method: "POST", body: JSON.stringify(message("Almost done")), headers: { "Content-Type": "application/json" },
};
const steps = new BatchRequestContent([
  { id: "me", request: new Request(`${server}/me`) },
  { id: "message", request: new Request(`${server}/me/presence/setStatusMessage`, toSet) },
  { id: "ben", request: new Request(`${server}/users/ben@porchlight.example/presence`) },
]);
const answers = new BatchResponseContent(await ada.api("/$batch").post(await steps.getContent()));
console.log("batch:", ...["me", "message", "ben"].map((id) => answers.getResponseById(id).status));

// Be called when Ada's presence changes; then it does.
await once(receiver.listen(0, "127.0.0.1"), "listening");
const subscription = await ada.api("/subscriptions").post({
  changeType: "updated", resource: `communications/presences/${me.id}`, clientState: secret,
  notificationUrl: `http://127.0.0.1:${receiver.address().port}/`,
  expirationDateTime: new Date(Date.now() + 50 * 60_000).toISOString(),
});
console.log("subscribed to", subscription.resource);
const told = once(receiver, "told", { signal: AbortSignal.timeout(30_000) });
await application.api(`${hers}/setPresence`).post(session("DoNotDisturb", "Presenting"));
const [changed] = await told;
console.log("told:", pair(await ada.api(`/users/${changed}/presence`).get()));

// Leave nothing behind.
await ada.api(`/subscriptions/${subscription.id}`).delete();
await application.api(`${hers}/clearPresence`).post({ sessionId: clientId });
await ada.api("/me/presence/setStatusMessage").post(message(""));
const after = await ada.api("/me/presence").get();
console.log("after:", pair(after), "-", after.statusMessage ? "a message" : "no message");
receiver.close();
receiver.closeAllConnections();
