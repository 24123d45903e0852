// Gives everybody a session, as setPresence would. REDIS says where Redis is; an application's id and a file of ids,
// one a line, are the arguments.

import { readFileSync } from "node:fs";

import { sessionOf } from "./presence.mjs";
import { openStore } from "./store.mjs";

const AT_ONCE = 1000;

const [application, file] = process.argv.slice(2);
const users = readFileSync(file, "utf8").split("\n").filter(Boolean);
const store = await openStore(process.env.REDIS);
const asked = { availability: "Available", activity: "Available", expirationDuration: "PT4H" };
for (let at = 0; at < users.length; at += AT_ONCE) {
  const session = sessionOf(asked, Date.now());
  const some = users.slice(at, at + AT_ONCE);
  await Promise.all(some.map((user) => store.keep(user, `${application}/${application}`, session)));
}
await store.close();
