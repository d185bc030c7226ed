// A picture large, and from one to the next.

import { $, el, write } from "./dom.js";

export class Viewer {
  #all = [];
  #at = 0;

  /** `list()`: all outputs in the order of the grid, each with `card`, `output` and its number `n`; `use(card)`. */
  constructor({ list, use }) {
    this.list = list;
    $("viewer-close").addEventListener("click", () => $("viewer").close());
    $("viewer-back").addEventListener("click", () => this.#step(-1));
    $("viewer-on").addEventListener("click", () => this.#step(1));
    $("viewer-again").addEventListener("click", () => {
      $("viewer").close();
      use(this.#all[this.#at].card);
    });
    $("viewer").addEventListener("keydown", (event) => {
      if (event.target.closest("video")) return;
      if (event.key === "ArrowLeft") this.#step(-1);
      if (event.key === "ArrowRight") this.#step(1);
    });
    $("viewer").addEventListener("click", (event) => {
      if (event.target === $("viewer") || event.target === $("viewer-stage")) $("viewer").close();
    });
    $("viewer").addEventListener("close", () => $("viewer-stage").replaceChildren());
  }

  open(card, n) {
    this.#all = this.list();
    this.#at = this.#all.findIndex((each) => each.card === card && each.n === n);
    if (this.#at < 0) return;
    this.#show();
    $("viewer").showModal();
    $("viewer-close").focus();
  }

  #step(by) {
    const to = this.#at + by;
    if (to < 0 || to >= this.#all.length) return;
    this.#at = to;
    this.#show();
  }

  #show() {
    const { card, output } = this.#all[this.#at];
    const media =
      output.kind === "video"
        ? el("video", { src: output.url, controls: true, autoplay: true, loop: true, playsInline: true })
        : el("img", { src: output.url, alt: card.title });
    $("viewer-stage").replaceChildren(media);
    write($("viewer-title"), card.title);
    $("viewer-save").href = output.url;
    $("viewer-again").hidden = card.request === null;
    write($("viewer-place"), `${this.#at + 1} of ${this.#all.length}`);
    $("viewer-back").disabled = this.#at === 0;
    $("viewer-on").disabled = this.#at === this.#all.length - 1;
  }
}
