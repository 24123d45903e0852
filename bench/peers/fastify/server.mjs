// Presence over HTTP, as one would write it with Fastify and Redis: a worker for each core, all on one port.
//
// PORT says where to listen, REDIS where Redis is. TRUST names a file with whose signed tokens to take; without it
// development's short tokens are.

import cluster from "node:cluster";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

import Fastify from "fastify";

import { shortTokens, signedTokens } from "./callers.mjs";
import { IDS, PRESENCE, PRESENCES, SET_PRESENCE, USER, sessionOf, view } from "./presence.mjs";
import { openStore } from "./store.mjs";

const { PORT, REDIS, TRUST } = process.env;

if (cluster.isPrimary) {
  for (let core = 0; core < availableParallelism(); core += 1) cluster.fork();
  cluster.on("exit", () => process.exit(1));
  process.on("SIGTERM", () => process.exit(0));
} else {
  await serve();
}

async function serve() {
  const store = await openStore(REDIS);
  const callerOf = TRUST ? signedTokens(JSON.parse(readFileSync(TRUST, "utf8"))) : shortTokens();
  const app = Fastify({ logger: false });

  app.decorateRequest("caller", null);
  app.addHook("onRequest", async (request, reply) => {
    request.caller = callerOf(request.headers.authorization);
    if (!request.caller) return reply.code(401).send({ error: { code: "InvalidAuthenticationToken" } });
  });

  app.get(
    "/v1.0/users/:id/presence",
    { schema: { params: USER, response: { 200: PRESENCE } } },
    async (request) => {
      const { id } = request.params;
      const context = `${metadata(request)}#users('${id}')/presence/$entity`;
      return { "@odata.context": context, ...view(id, await store.sessions(id), Date.now()) };
    },
  );

  app.post(
    "/v1.0/users/:id/presence/setPresence",
    { schema: { params: USER, body: SET_PRESENCE } },
    async (request, reply) => {
      const session = sessionOf(request.body, Date.now());
      if (!session) return reply.code(400).send({ error: { code: "InvalidArgument" } });
      await store.keep(request.params.id, `${request.caller}/${request.body.sessionId}`, session);
      return reply.code(200).send();
    },
  );

  app.post(
    "/v1.0/communications/getPresencesByUserId",
    { schema: { body: IDS, response: { 200: PRESENCES } } },
    async (request) => {
      const { ids } = request.body;
      const found = await store.sessionsOfMany(ids);
      const now = Date.now();
      const context = `${metadata(request)}#Collection(microsoft.graph.presence)`;
      return { "@odata.context": context, value: ids.map((id, index) => view(id, found[index], now)) };
    },
  );

  await app.listen({ host: "127.0.0.1", port: Number(PORT) });
}

function metadata(request) {
  return `${request.protocol}://${request.host}/v1.0/$metadata`;
}
