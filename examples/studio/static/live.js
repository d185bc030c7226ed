// News of the jobs, by server-sent events.
//
// A browser opens six connections to one server over HTTP/1.1, over all its windows together.  So one window, whoever has
// the lock, listens for all of them, to a few jobs at a time, and asks for the others in one list now and then.  It tells
// the other windows what it hears.

import { ask } from "./api.js";
import { OVER } from "./words.js";

const STREAMS = 3;
const LIST_EVERY = 4000;
const UNFINISHED = ["pending", "submitting", "queued", "processing"];

export class Live {
  #jobs = new Map(); // of those that are not over: what is known
  #streams = new Map();
  #leads = false;
  #channel = new BroadcastChannel("studio");
  #timer = 0;

  /** `told(job)` for each news, whichever window heard it; `link(is_up)` for the connection. */
  constructor({ told, link }) {
    this.told = told;
    this.link = link;
    this.#channel.onmessage = ({ data }) => {
      if (data.job) this.#learn(data.job);
      if ("up" in data) this.link(data.up);
    };
    if (navigator.locks) navigator.locks.request("studio", () => this.#lead());
    else this.#lead(); // not on a safe connection: each window listens for itself
  }

  /** A job that this window was told of by an answer; the other windows hear of it. */
  add(job) {
    this.#learn(job);
    this.#channel.postMessage({ job });
  }

  #lead() {
    this.#leads = true;
    this.#fill();
    return new Promise(() => {}); // until this window is closed
  }

  #learn(job) {
    job.heard ??= Date.now();
    if (OVER.has(job.state)) {
      this.#jobs.delete(job.id);
      this.#close(job.id);
    } else {
      this.#jobs.set(job.id, job);
    }
    this.told(job);
    this.#fill();
  }

  #fill() {
    if (!this.#leads) return;
    const oldest = [...this.#jobs.values()].sort((a, b) => (a.times.created < b.times.created ? -1 : 1));
    for (const job of oldest) {
      if (this.#streams.size >= STREAMS) break;
      if (!this.#streams.has(job.id)) this.#listen(job);
    }
    if (this.#jobs.size > this.#streams.size && !this.#timer) {
      this.#timer = setTimeout(() => this.#list(), LIST_EVERY);
    }
  }

  #listen(job) {
    const source = new EventSource(job.links.events);
    this.#streams.set(job.id, source);
    source.onopen = () => this.#say(true);
    source.onmessage = (event) => this.add(JSON.parse(event.data));
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED) return this.#say(false); // it tries again by itself
      this.#close(job.id);
      this.#look(job);
    };
  }

  #close(id) {
    this.#streams.get(id)?.close();
    this.#streams.delete(id);
  }

  async #look(job) {
    try {
      this.add(await ask(job.links.self));
    } catch (problem) {
      const failure = { code: "gone", reason: null, action: null };
      if (problem.status === 404) this.add({ ...job, state: "failed", failure, outputs: [] });
      else setTimeout(() => this.#fill(), LIST_EVERY);
    }
  }

  async #list() {
    const before = [...this.#jobs.values()].filter((job) => !this.#streams.has(job.id));
    try {
      const states = UNFINISHED.map((state) => `state=${state}`).join("&");
      const page = await ask(`/api/generations?${states}&limit=100`);
      for (const job of page.items) if (!this.#streams.has(job.id)) this.add(job);
      const there = new Set(page.items.map((job) => job.id));
      if (page.next === null) for (const job of before) if (!there.has(job.id)) await this.#look(job);
    } catch {
      // Asked again a little later.
    }
    this.#timer = 0;
    this.#fill();
  }

  #say(up) {
    this.link(up);
    this.#channel.postMessage({ up });
  }
}
