// Requests that are not confirmed yet.  Each has its key before it is sent, and keeps it, in this browser's storage, until
// the server has said which job it is: so a lost answer, a reload or a second window asks for the same job again, and it
// is paid for once.

import { ask } from "./api.js";

const PREFIX = "studio.outbox.";
const TRIES = 6;
const SAME_WITHIN = 1000; // milliseconds in which the same request again is a double click
const STALE = 10 * 60 * 1000; // after which nobody expects it any more, so a person is asked

function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID(); // only where the connection is safe, or on this machine
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Outbox {
  #last = { said: "", at: 0 };
  #asleep = new Map();

  /** `changed(entry)` where one waits or is stuck, `taken(entry, job)`, `refused(entry, problem)`. */
  constructor({ changed, taken, refused }) {
    Object.assign(this, { changed, taken, refused });
  }

  /** Sends a new request; null if it is the same one again, from the same button, by a double click. */
  submit(body, button = "form") {
    const said = JSON.stringify([button, body]);
    const at = Date.now();
    if (said === this.#last.said && at - this.#last.at < SAME_WITHIN) return null;
    this.#last = { said, at };
    const entry = { key: newKey(), body, at };
    this.#keep(entry);
    this.send(entry);
    return entry;
  }

  /** Goes on with what was left when the page was closed or reloaded. */
  resume() {
    for (const name of Object.keys(localStorage).filter((each) => each.startsWith(PREFIX))) {
      let entry;
      try {
        entry = JSON.parse(localStorage.getItem(name));
      } catch {
        localStorage.removeItem(name);
        continue;
      }
      if (Date.now() - entry.at > STALE) this.changed(entry, "stuck");
      else this.send(entry);
    }
  }

  async send(entry) {
    for (let tries = 0; tries < TRIES; tries++) {
      this.changed(entry, tries === 0 ? "sending" : "again");
      try {
        const job = await ask("/api/generations", { method: "POST", body: entry.body, key: entry.key });
        this.forget(entry);
        return this.taken(entry, job);
      } catch (problem) {
        if (!problem.retryable) {
          this.forget(entry);
          return this.refused(entry, problem);
        }
        this.changed(entry, "waiting", problem);
        if (tries + 1 < TRIES) await this.#sleep(entry, problem.pause ?? Math.min(2 ** tries, 15));
      }
    }
    this.changed(entry, "stuck");
  }

  /** Does not wait any longer for the next try. */
  hurry(entry) {
    this.#asleep.get(entry.key)?.();
  }

  forget(entry) {
    localStorage.removeItem(PREFIX + entry.key);
  }

  #keep(entry) {
    try {
      localStorage.setItem(PREFIX + entry.key, JSON.stringify(entry));
    } catch {
      // No room, or not allowed: it is kept as long as the page is open.
    }
  }

  #sleep(entry, seconds) {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#asleep.delete(entry.key);
        resolve();
      };
      const timer = setTimeout(done, seconds * 1000);
      this.#asleep.set(entry.key, done);
    });
  }
}
