/**
 * Who uses the board: in production whoever the identity provider says, in development whoever was picked.
 */

import { ApiError } from "./api.js";
import { SignIn } from "./sign-in.js";

/**
 * What the server says of itself at `/porchlight/board/settings.json`.
 * @typedef {object} Settings
 * @property {string} version
 * @property {boolean} development
 * @property {string} [demoApplication] in development only
 * @property {string} [firstPerson] in development only: who one is at first
 * @property {number} streamSilenceSeconds a stream that says nothing for longer is dead
 * @property {import("./sign-in.js").Provider | null} signIn `null` when nothing is configured
 */

/**
 * @typedef {object} Me
 * @property {string} id
 * @property {string} displayName
 * @property {string} userPrincipalName
 */

/** Which members make a {@link Me}. */
const MEMBERS = "$select=id,displayName,userPrincipalName";

/** Where development keeps who was picked: for this tab, and for the next that is opened. */
const PICKED = "porchlight.picked";

/** Dispatches `change` when somebody else uses the board. */
export class Session extends EventTarget {
  /** @type {Settings} */
  settings;
  /** Who uses the board; `null`: nobody yet. @type {Me | null} */
  me = null;
  /** What went wrong with signing in. @type {Error | null} */
  error = null;
  /** @type {SignIn | null} */
  #signIn = null;

  /** @param {Settings} settings */
  constructor(settings) {
    super();
    this.settings = settings;
    this.#signIn = settings.signIn && !settings.development ? new SignIn(settings.signIn) : null;
  }

  /** Whether this is a development server, where anybody can be anybody. */
  get isDevelopment() {
    return this.settings.development;
  }

  /** Finds out who uses the board: comes back from the provider, or remembers. */
  async start() {
    try {
      if (this.isDevelopment) {
        this.me = picked() ?? (await this.#first());
        // Another tab may become somebody else.
        keep(this.me, [sessionStorage]);
      } else {
        this.me = await this.#comeBack();
      }
    } catch (error) {
      this.error = /** @type {Error} */ (error);
    }
  }

  /** The token of whoever uses the board. */
  async token() {
    if (this.isDevelopment) {
      return `dev:${this.me?.id ?? this.settings.demoApplication}:`;
    }
    return (await this.#signIn?.token()) ?? "";
  }

  /**
   * Whether the token has a permission. If that cannot be told from it: yes, and the server says no.
   * @param {string} permission such as `Subscription.Read.All`
   */
  can(permission) {
    const granted = this.#signIn?.permissions() ?? null;
    return granted === null || granted.has(permission.toLowerCase());
  }

  /**
   * Gets another token, since the server has refused this one.
   * @returns {Promise<boolean>} whether there is one; else nobody is signed in any more
   * @throws {ApiError} when the provider is away: the same call may be answered later
   */
  async renew() {
    const away = (/** @type {Error} */ { message }) => { throw new ApiError({ code: "Unreachable", message }); };
    if (await this.#signIn?.renew().catch(away)) {
      return true;
    }
    this.#become(null);
    return false;
  }

  /**
   * What an application is called; the API knows its id alone.
   * @param {string} id
   */
  application(id) {
    const { demoApplication, signIn } = this.settings;
    const names = { [demoApplication ?? ""]: "the demo application", [signIn?.clientId ?? ""]: "this board" };
    return names[id] ?? id;
  }

  /** Begins to sign in: leaves the page for the provider's. */
  signIn() {
    return this.#signIn?.begin();
  }

  /** Ends the session; in production also the provider's, if it has a way to. */
  async signOut() {
    this.#become(null);
    await this.#signIn?.end();
  }

  /**
   * Development: from now on this person uses the board.
   * @param {Me} user
   */
  become(user) {
    this.#become(user);
  }

  /**
   * Development: people to pick from.
   * @param {string} text what a name has in it; nothing: anybody
   * @param {number} most
   * @returns {Promise<Me[]>}
   */
  async find(text, most) {
    const quoted = text.replaceAll(/["\\]/g, " ").trim();
    const search = quoted ? `&$search=${encodeURIComponent(`"displayName:${quoted}"`)}` : "";
    return (await ask(`/v1.0/users?${MEMBERS}&$top=${most}${search}`, `dev:${this.settings.demoApplication}:`)).value;
  }

  /** @returns {Promise<Me | null>} */
  async #first() {
    const { demoApplication, firstPerson } = this.settings;
    const path = `/v1.0/users/${firstPerson}?${MEMBERS}`;
    const first = firstPerson ? await ask(path, `dev:${demoApplication}:`).catch(() => null) : null;
    return first ?? (await this.find("", 1))[0] ?? null;
  }

  /** @returns {Promise<Me | null>} */
  async #comeBack() {
    const how = await this.#signIn?.finish();
    const whoami = async () => ask(`/v1.0/me?${MEMBERS}`, await this.token());
    if (!how) {
      return null;
    }
    return whoami().catch(async (error) => {
      if (error.status === 401 && (await this.#signIn?.renew())) {
        return whoami();
      }
      // Whoever was signed in long ago need not be told that it is over.
      if (error.status === 401 && how === "still") {
        return null;
      }
      throw error;
    });
  }

  /** @param {Me | null} user */
  #become(user) {
    this.me = user;
    if (this.isDevelopment) {
      keep(user, [sessionStorage, localStorage]);
    }
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * GET, before there is an API that belongs to somebody.
 * @param {string} path
 * @param {string} token
 */
async function ask(path, token) {
  const headers = { Authorization: `Bearer ${token}` };
  const response = await fetch(path, { headers, cache: "no-store" }).catch(() => { throw ApiError.ofSilence(); });
  const body = await response.json().catch(() => null);
  if (!response.ok) {
    throw ApiError.of(response, body);
  }
  return body;
}

/** @returns {Me | null} */
function picked() {
  try {
    return JSON.parse(sessionStorage.getItem(PICKED) ?? localStorage.getItem(PICKED) ?? "null");
  } catch {
    return null;
  }
}

/**
 * @param {Me | null} user
 * @param {Storage[]} storages
 */
function keep(user, storages) {
  const { id, displayName, userPrincipalName } = user ?? {};
  for (const storage of storages) {
    if (id) {
      storage.setItem(PICKED, JSON.stringify({ id, displayName, userPrincipalName }));
    } else {
      storage.removeItem(PICKED);
    }
  }
}
