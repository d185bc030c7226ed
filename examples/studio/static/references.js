// The pictures to go by: each is sent to the server when it is chosen, and the request names it by its address.

import { ask } from "./api.js";
import { $, el, say, write } from "./dom.js";
import { short } from "./words.js";

const KINDS = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/avif"];

export class References {
  #chosen = []; // { url, name, node }
  #most = 0;
  #needed = false;
  #mostBytes = Infinity;

  /** `changed()` when there is one more, or one less. */
  constructor({ changed }) {
    this.changed = changed;
    const input = $("reference-file");
    input.accept = KINDS.join();
    $("add-reference").addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      const files = [...input.files];
      input.value = ""; // the same file may be chosen again
      this.#add(files);
    });
    const field = $("references-field");
    field.addEventListener("dragover", (event) => event.preventDefault());
    field.addEventListener("drop", (event) => {
      event.preventDefault();
      this.#add([...event.dataTransfer.files]);
    });
  }

  set mostBytes(bytes) {
    this.#mostBytes = bytes;
  }

  /** For this model; `urls` are those of a request that is filled in, else what is chosen stays. */
  offer({ references, needs_reference: needed }, urls) {
    this.#most = references;
    this.#needed = needed;
    $("references-field").hidden = references === 0;
    if (urls) {
      for (const each of this.#chosen) each.node.remove();
      this.#chosen = [];
      for (const url of urls) this.#show(url, "Picture");
    }
    write($("references-hint"), `${needed ? "Needed. " : ""}${references === 1 ? "One picture" : `Up to ${references} pictures`}: PNG, JPEG, WebP, GIF or AVIF.`);
    this.#settle();
  }

  /** The addresses of as many as this model takes. */
  read() {
    return this.#chosen.slice(0, this.#most).flatMap((each) => each.url ?? []);
  }

  /** What is wrong, or nothing. */
  check() {
    const isSending = this.#most > 0 && this.#chosen.some((each) => each.url === null);
    const text = isSending ? "A picture is still on its way." : this.#needed && this.read().length === 0 ? "Add a picture to go by." : "";
    write($("references-error"), text);
    return !text;
  }

  async #add(files) {
    write($("references-error"), "");
    for (const file of files) {
      if (this.#chosen.length >= this.#most) return this.#wrong(`This model takes ${this.#most === 1 ? "one picture" : `${this.#most} pictures`}.`);
      if (file.size > this.#mostBytes) {
        this.#wrong(`${short(file.name, 60)} is too large: at most ${Math.floor(this.#mostBytes / 1048576)} MB.`);
        continue;
      }
      await this.#send(file);
    }
  }

  async #send(file) {
    const each = this.#show(null, file.name);
    try {
      const upload = await ask("/api/uploads", { method: "POST", body: file, seconds: 120 });
      if (!this.#chosen.includes(each)) return; // removed meanwhile
      each.url = upload.url;
      each.node.firstChild.src = upload.url;
      each.node.classList.remove("sending");
      say(`Added: ${short(file.name, 60)}`);
    } catch (problem) {
      this.#drop(each);
      this.#wrong(problem.status === 0 ? `${short(file.name, 60)} was not sent: the server does not answer.` : problem.message);
    }
    this.#settle();
    this.changed();
  }

  #show(url, name) {
    const remove = el("button", { type: "button", className: "remove", "aria-label": `Remove: ${short(name, 60)}` }, "×");
    const picture = el("img", { alt: short(name, 60), width: 72, height: 72, decoding: "async" });
    const each = { url, name, node: el("li", { className: url === null ? "sending" : "" }, picture, remove) };
    remove.addEventListener("click", () => this.#remove(each));
    picture.addEventListener("error", () => {
      if (each.url === null || !this.#chosen.includes(each)) return;
      this.#drop(each); // the server keeps it for a day only
      this.#wrong("A picture is not kept any more. Add it again.");
      this.changed();
    });
    if (url !== null) picture.src = url;
    this.#chosen.push(each);
    $("references").append(each.node);
    this.#settle();
    return each;
  }

  #remove(each) {
    const at = this.#chosen.indexOf(each);
    this.#drop(each);
    const next = this.#chosen[at] ?? this.#chosen[at - 1];
    (next ? next.node.lastChild : $("add-reference")).focus();
    say(`Removed: ${short(each.name, 60)}`);
    this.changed();
  }

  #drop(each) {
    this.#chosen = this.#chosen.filter((other) => other !== each);
    each.node.remove();
    write($("references-error"), "");
    this.#settle();
  }

  #wrong(text) {
    write($("references-error"), text);
  }

  #settle() {
    $("references").hidden = this.#chosen.length === 0;
    $("add-reference").hidden = this.#chosen.length >= this.#most;
    this.#chosen.forEach((each, n) => each.node.classList.toggle("unused", n >= this.#most));
  }
}
