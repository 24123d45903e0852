// Sessions in Redis. A user's are a hash, a field each; beside it stands all of it as one text, since many texts are
// read by one command and many hashes are not. Both end with the session that ends last.

import { Redis } from "ioredis";

const KEEP = `
  redis.call("HSET", KEYS[1], ARGV[1], ARGV[2])
  local ends = math.max(redis.call("PEXPIRETIME", KEYS[1]), tonumber(ARGV[3]))
  redis.call("PEXPIREAT", KEYS[1], ends)
  redis.call("SET", KEYS[2], "[" .. table.concat(redis.call("HVALS", KEYS[1]), ",") .. "]", "PXAT", ends)`;

// Opens it; `path` is the socket of a Redis on this machine.
export async function openStore(path) {
  const redis = new Redis({ path, lazyConnect: true, scripts: { keep: { lua: KEEP, numberOfKeys: 2 } } });
  redis.on("error", (error) => console.error(error.message));
  await redis.connect();
  return {
    // Keeps a session of a user under a name of its own.
    keep: (user, name, session) =>
      redis.keep(`sessions:${user}`, `presence:${user}`, name, JSON.stringify(session), session.until),

    async sessions(user) {
      return read(await redis.get(`presence:${user}`));
    },

    async sessionsOfMany(users) {
      const texts = await redis.mget(users.map((user) => `presence:${user}`));
      return texts.map(read);
    },

    close: () => redis.quit(),
  };
}

function read(text) {
  return text ? JSON.parse(text) : [];
}
