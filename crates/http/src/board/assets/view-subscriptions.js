/**
 * `<view-subscriptions>`: the subscriptions that the caller may see, whether their endpoints take what they are told,
 * and ending one.
 */

import { below } from "./api.js";
import { announce, empty, h, replace } from "./dom.js";
import { EndDialog } from "./end-dialog.js";
import { Problem } from "./problem.js";
import { SubscriptionRow } from "./subscription-row.js";
import { Times } from "./times.js";

/** How often what is on the screen is asked for again, in ms: no stream tells of deliveries. */
const LOOK_AGAIN = 5000;

const PATH = "/v1.0/subscriptions";

const HEADS = ["Resource", "Endpoint", "Health", "Last attempt", "Latency", "Ends"];

class ViewSubscriptions extends HTMLElement {
  /** @type {import("./main.js").App} */
  app;
  /** @type {Times} */
  #times;
  /** By the id of the subscription. @type {Map<string, SubscriptionRow>} */
  #rows = new Map();
  /** How many pages of the list are shown. */
  #pages = 1;
  #isLooking = false;
  #lookedAt = 0;
  #abort = new AbortController();
  #problem = new Problem();
  #dialog = new EndDialog();
  #heading = h("h1", { tabIndex: -1 }, "Subscriptions");
  #notice = h("div", null, h("p", { class: "quiet" }, "Looking…"));
  #more = h("button", { type: "button", class: "button", hidden: true }, "Show more");
  #table = h(
    "table", { class: "table subscriptions", "aria-label": "Subscriptions", hidden: true },
    h("thead", null, h("tr", null,
      ...HEADS.map((words) => h("th", { scope: "col" }, words)),
      h("td", null))),
  );
  /** Those on the screen, whose attempts are asked for. @type {IntersectionObserver} */
  #screen;
  /** @type {Set<SubscriptionRow>} */
  #onScreen = new Set();

  connectedCallback() {
    const { signal } = this.#abort;
    this.#times = new Times(this.app.clock);
    this.#screen = new IntersectionObserver((entries) => this.#scrolled(entries), { rootMargin: "200px" });
    this.#more.addEventListener("click", () => {
      this.#pages += 1;
      this.#look(false);
    });
    this.app.clock.addEventListener("tick", () => this.#tick(), { signal });
    this.app.people.addEventListener("directory", () => this.#rows.forEach((row) => row.name()), { signal });
    replace(
      this,
      h("header", { class: "head" }, this.#heading, h("p", { class: "quiet" }, this.#whose())),
      this.#problem.element, this.#notice, h("div", { class: "wide" }, this.#table), this.#more, this.#dialog.element,
    );
    this.#look(false);
  }

  disconnectedCallback() {
    this.#abort.abort();
    this.#screen.disconnect();
    this.#times.stop();
  }

  /** Whose subscriptions are shown. */
  #whose() {
    return ["Subscription.Read.All", "Subscription.ReadWrite.All"].some((name) => this.app.session.can(name))
      ? "Webhooks that are told of changes: yours, and for a Global Administrator everybody’s."
      : "Webhooks that are told of changes: those that this page’s application has made for you. "
        + "The permission Subscription.Read.All shows more.";
  }

  #tick() {
    if (performance.now() - this.#lookedAt >= LOOK_AGAIN) {
      this.#look(true);
    }
  }

  /**
   * Asks for the list, and for the newest attempts of whatever is on the screen.
   * @param {boolean} quiet
   */
  async #look(quiet) {
    if (this.#isLooking) {
      return;
    }
    [this.#isLooking, this.#lookedAt] = [true, performance.now()];
    try {
      this.#list(await this.#read(quiet));
      this.#problem.clear();
      for (const row of this.#onScreen) {
        await this.#ask(row);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isLooking = false;
    }
  }

  /**
   * The subscriptions of as many pages as are shown.
   * @param {boolean} quiet
   */
  async #read(quiet) {
    const found = [];
    let next = PATH;
    for (let page = 0; page < this.#pages && next; page += 1) {
      const { body } = await this.app.api.call("GET", next, { quiet });
      found.push(...body.value);
      next = body["@odata.nextLink"] ? below(body["@odata.nextLink"]) : "";
    }
    this.#more.hidden = next === "";
    return found;
  }

  /** @param {import("./subscription-row.js").Subscription[]} found */
  #list(found) {
    const ids = new Set(found.map(({ id }) => id));
    for (const [id, row] of this.#rows) {
      if (!ids.has(id)) {
        this.#rows.delete(id);
        this.#onScreen.delete(row);
        this.#screen.unobserve(row.element);
        row.element.remove();
      }
    }
    for (const subscription of found) {
      const row = this.#rows.get(subscription.id);
      row ? row.renew(subscription) : this.#add(subscription);
    }
    this.#table.hidden = found.length === 0;
    this.#notice.hidden = found.length > 0;
    replace(this.#notice, empty("No subscriptions yet",
      h("p", null, "Programs subscribe to be told of changes. docs/BEING-TOLD.md says how.")));
  }

  /** @param {import("./subscription-row.js").Subscription} subscription */
  #add(subscription) {
    const row = new SubscriptionRow(this.app, this.#times, subscription, () => this.#end(row));
    this.#rows.set(subscription.id, row);
    this.#table.append(row.element);
    this.#screen.observe(row.element);
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #scrolled(entries) {
    const rows = new Map([...this.#rows.values()].map((row) => [/** @type {Element} */ (row.element), row]));
    for (const { target, isIntersecting } of entries) {
      const row = rows.get(target);
      if (row && isIntersecting) {
        this.#onScreen.add(row);
        this.#ask(row).catch((error) => this.#fail(error));
      } else if (row) {
        this.#onScreen.delete(row);
      }
    }
  }

  /**
   * Asks for the newest attempts.
   * @param {SubscriptionRow} row
   */
  async #ask(row) {
    const path = `${PATH}/${row.subscription.id}/porchlight.deliveries`;
    try {
      row.show((await this.app.api.call("GET", path, { quiet: true })).body.value);
    } catch (error) {
      // One that has ended meanwhile will not be in the next list.
      if (/** @type {any} */ (error).status !== 404) {
        throw error;
      }
    }
  }

  /** @param {any} error one that passes is what the banner of the page is for */
  #fail(error) {
    if (!error.isPassing) {
      this.#notice.hidden = true;
      this.#problem.show(error);
    }
  }

  /** @param {SubscriptionRow} row */
  async #end(row) {
    const isEnded = await this.#dialog.ask(row.words(), () => this.#delete(row.subscription.id));
    if (isEnded) {
      announce("The subscription has ended.");
      this.#rows.delete(row.subscription.id);
      this.#onScreen.delete(row);
      row.element.remove();
      this.#heading.focus();
      this.#look(true);
    }
  }

  /**
   * Ends a subscription. That of another application takes a permission of its own, and of another user an
   * administrator; in development there is a lever.
   * @param {string} id
   */
  async #delete(id) {
    const { api, session } = this.app;
    try {
      await api.call("DELETE", `${PATH}/${id}`);
    } catch (error) {
      const isOfOthers = /** @type {any} */ (error).status === 404;
      if (!isOfOthers || !session.isDevelopment) {
        throw isOfOthers ? new Error("Another application has made this subscription: it takes Subscription.ReadWrite.All to end it.") : error;
      }
      await api.call("POST", "/porchlight/dev/faults", { body: { dropSubscription: id } });
    }
  }
}

customElements.define("view-subscriptions", ViewSubscriptions);
