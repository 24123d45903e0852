/**
 * Signing in with an OpenID Connect provider: authorization code with PKCE, by redirect.
 *
 * Sources: OpenID Connect Core 1.0, RFC 7636 (PKCE), RFC 9207 (iss), and the IETF's best practice for applications in
 * the browser. Tokens are kept for as long as the tab is open, and in no other tab.
 */

/**
 * @typedef {object} Provider
 * @property {string} metadata the URL of its discovery document
 * @property {string} clientId
 * @property {string} scopes
 * @property {Record<string, string>} parameters more of both requests, such as `resource` or `audience`
 */

/**
 * @typedef {object} Tokens
 * @property {string} access
 * @property {string | null} refresh
 * @property {string | null} identity
 * @property {number} renew when it is to be renewed, in Unix ms
 */

/** What is remembered while the browser is at the provider's. */
const UNDER_WAY = "porchlight.sign-in";
const TOKENS = "porchlight.tokens";

/** A token that is good for less than this, in ms, and a tenth of its life, is renewed before it is used. */
const EARLY = 60_000;

/** The provider has said no, and would say so again. */
class Refused extends Error {}

/** Signing in, with one provider. */
export class SignIn {
  #provider;
  /** @type {Promise<boolean> | null} */
  #renewing = null;

  /** @param {Provider} provider */
  constructor(provider) {
    this.#provider = provider;
  }

  /** Leaves for the provider's page; what is shown now is shown again afterwards. */
  async begin() {
    const { authorization_endpoint: endpoint } = await this.#discover();
    const [state, nonce, verifier] = [random(), random(), random()];
    sessionStorage.setItem(UNDER_WAY, JSON.stringify({ state, nonce, verifier, hash: location.hash }));
    const url = new URL(endpoint);
    const asked = {
      ...this.#provider.parameters,
      client_id: this.#provider.clientId,
      response_type: "code",
      redirect_uri: here(),
      scope: this.#provider.scopes,
      state,
      nonce,
      code_challenge: await challenge(verifier),
      code_challenge_method: "S256",
    };
    for (const [name, value] of Object.entries(asked)) {
      url.searchParams.set(name, value);
    }
    location.assign(url);
  }

  /**
   * Takes what the provider has sent the browser back with, if it has.
   * @returns {Promise<"back" | "still" | "">} whether somebody has just signed in, still is, or nobody is
   */
  async finish() {
    const answer = new URLSearchParams(location.search);
    const isBack = answer.has("state") && (answer.has("code") || answer.has("error"));
    if (isBack) {
      const begun = JSON.parse(sessionStorage.getItem(UNDER_WAY) ?? "null");
      sessionStorage.removeItem(UNDER_WAY);
      // Out of the address and the history: a code is good once.
      history.replaceState(null, "", `/${begun?.hash ?? ""}`);
      await this.#take(answer, begun);
    }
    return tokens() === null ? "" : isBack ? "back" : "still";
  }

  /** @returns {Promise<string>} nothing when nobody is signed in */
  async token() {
    const kept = tokens();
    if (kept?.refresh && Date.now() >= kept.renew) {
      // While the provider is away the old one may still do.
      await this.renew().catch(() => false);
    }
    return tokens()?.access ?? "";
  }

  /**
   * Gets another token by the refresh token; once for however many ask at the same time.
   * @returns {Promise<boolean>} whether there is one; else nobody is signed in any more
   * @throws {Error} when the provider is away, which says nothing of who is signed in
   */
  renew() {
    this.#renewing ??= this.#renew().finally(() => { this.#renewing = null; });
    return this.#renewing;
  }

  /** Forgets the tokens, and leaves for the page where the provider forgets too, if it has one. */
  async end() {
    const identity = tokens()?.identity;
    sessionStorage.removeItem(TOKENS);
    const { end_session_endpoint: endpoint } = await this.#discover();
    if (endpoint) {
      const url = new URL(endpoint);
      url.searchParams.set("client_id", this.#provider.clientId);
      url.searchParams.set("post_logout_redirect_uri", here());
      if (identity) {
        url.searchParams.set("id_token_hint", identity);
      }
      location.assign(url);
    }
  }

  /**
   * What the access token grants, in small letters.
   * @returns {Set<string> | null} `null` if that cannot be told
   */
  permissions() {
    const claims = claimsOf(tokens()?.access);
    const named = [claims?.scp, claims?.scope, claims?.roles].flat().filter((value) => typeof value === "string");
    if (named.length === 0) {
      return null;
    }
    // What stands before the last slash does not count.
    return new Set(named.join(" ").split(/\s+/).map((name) => name.replace(/^.*\//, "").toLowerCase()));
  }

  /**
   * @param {URLSearchParams} answer
   * @param {{state: string, nonce: string, verifier: string} | null} begun
   */
  async #take(answer, begun) {
    if (!begun || answer.get("state") !== begun.state) {
      throw new Error("This sign-in was not begun here, or was begun again since. Sign in once more.");
    }
    if (answer.has("error")) {
      throw new Error(answer.get("error_description") ?? `The identity provider said: ${answer.get("error")}`);
    }
    const { issuer } = await this.#discover();
    // The issuer of many tenants gives its name as a template.
    if (answer.has("iss") && answer.get("iss") !== issuer && !issuer.includes("{")) {
      throw new Error(`The answer is from ${answer.get("iss")}, and not from ${issuer}.`);
    }
    const taken = await this.#ask({
      grant_type: "authorization_code",
      code: answer.get("code") ?? "",
      redirect_uri: here(),
      code_verifier: begun.verifier,
    });
    const nonce = claimsOf(taken.identity)?.nonce;
    if (taken.identity && nonce !== begun.nonce) {
      throw new Error("The identity token is not the one that was asked for.");
    }
    keep(taken);
  }

  async #renew() {
    const kept = tokens();
    if (kept?.refresh) {
      const renewal = { grant_type: "refresh_token", refresh_token: kept.refresh };
      const renewed = await this.#ask(renewal).catch((error) => {
        if (error instanceof Refused) {
          return null;
        }
        throw error;
      });
      // Whoever has signed out meanwhile stays so.
      if (renewed && tokens()?.refresh === kept.refresh) {
        keep({ ...renewed, refresh: renewed.refresh ?? kept.refresh, identity: renewed.identity ?? kept.identity });
        return true;
      }
    }
    sessionStorage.removeItem(TOKENS);
    return false;
  }

  /**
   * Asks the token endpoint.
   * @param {Record<string, string>} parameters
   * @returns {Promise<Tokens>}
   */
  async #ask(parameters) {
    const { token_endpoint: endpoint } = await this.#discover();
    const body = new URLSearchParams({
      ...this.#provider.parameters, ...parameters, client_id: this.#provider.clientId,
    });
    const response = await fetch(endpoint, { method: "POST", body }).catch(() => {
      throw new Error(`${new URL(endpoint).host} does not answer, or does not let this page ask it (CORS).`);
    });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok || !answer.access_token) {
      const isAway = response.status === 429 || response.status >= 500;
      const said = answer.error_description ?? answer.error ?? `The identity provider answered ${response.status}.`;
      throw isAway ? new Error(said) : new Refused(said);
    }
    const life = (answer.expires_in ?? 3600) * 1000;
    return {
      access: answer.access_token,
      refresh: answer.refresh_token ?? null,
      identity: answer.id_token ?? null,
      renew: Date.now() + life - Math.min(EARLY, life / 10),
    };
  }

  /** @returns {Promise<Record<string, string>>} the discovery document */
  async #discover() {
    const { metadata } = this.#provider;
    const response = await fetch(metadata).catch(() => null);
    if (!response?.ok) {
      throw new Error(`${metadata} cannot be read: is the identity provider up, and does it let this page ask it (CORS)?`);
    }
    return response.json();
  }
}

/** Where the provider sends the browser back to. */
function here() {
  return `${location.origin}/`;
}

/** @returns {Tokens | null} */
function tokens() {
  return JSON.parse(sessionStorage.getItem(TOKENS) ?? "null");
}

/** @param {Tokens} taken */
function keep(taken) {
  sessionStorage.setItem(TOKENS, JSON.stringify(taken));
}

/** 256 random bits, for whatever nobody may guess. */
function random() {
  return base64(crypto.getRandomValues(new Uint8Array(32)));
}

/** @param {string} verifier */
async function challenge(verifier) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return base64(new Uint8Array(digest));
}

/** @param {Uint8Array} bytes */
function base64(bytes) {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * What a token says. Nobody has checked it: the server does, when it is sent.
 * @param {string | null | undefined} token
 * @returns {Record<string, any> | null} `null` if it is no JWT
 */
function claimsOf(token) {
  try {
    const payload = (token ?? "").split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(payload), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}
