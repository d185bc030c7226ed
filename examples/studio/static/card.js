// One job of the grid.  Its element is made once and then changed, so that the focus stays where it is.

import { now } from "./api.js";
import { el, write } from "./dom.js";
import { OVER, ago, expectation, failureTitle, missingWords, price, short, stateWord } from "./words.js";

export class Card {
  job = null;
  isStuck = false;
  request = null;
  #shown = "";

  /** `does`: what the buttons do: cancel, again, edit, open, hurry, drop. */
  constructor(does, help) {
    this.does = does;
    this.help = help;
    this.frame = el("div", { className: "frame" });
    this.words = el("p", { className: "words" });
    this.meta = el("p", { className: "meta" });
    this.warnings = el("div", { className: "warnings", hidden: true });
    this.note = el("p", { className: "note", role: "status" });
    this.acts = el("div", { className: "acts" });
    this.node = el("li", { className: "card", tabIndex: -1 }, this.frame, el("div", { className: "foot" }, this.words, this.meta, this.warnings, this.note, this.acts));
  }

  get title() {
    return this.request?.prompt || this.job?.model || "Picture";
  }

  get isOver() {
    return this.job !== null && OVER.has(this.job.state);
  }

  /** A request that is not confirmed: being sent, waiting to be sent again, or stuck. */
  unsent(entry, how, problem) {
    this.request = entry.body;
    this.entry = entry;
    this.isStuck = how === "stuck";
    this.#head("unsent");
    if (how === "stuck") {
      this.#frame(`unsent-stuck`, () => [
        el("h3", {}, "Not confirmed"),
        el("p", {}, "The server has not answered. Sending it again asks for the same job: it is not paid for twice."),
      ]);
      this.#acts([["Send again", () => this.does.send(this)], ["Forget it", () => this.does.drop(this)]]);
      return;
    }
    this.#progress(stateWord("unsent"));
    const why = problem?.status === 0 || !problem ? "No answer yet" : short(problem.message, 140);
    write(this.text, how === "sending" ? "" : why);
    write(this.range, how === "sending" ? "" : "Tried again by itself; it is not paid for twice");
    this.#acts(how === "sending" ? [] : [["Try now", () => this.does.hurry(this)]]);
  }

  show(job, request) {
    this.job = job;
    this.isStuck = false;
    this.request = request ?? this.request;
    this.#head(job.state);
    this.#warn();
    if (job.state === "completed") this.#pictures();
    else if (job.state === "failed" || job.state === "unknown") this.#failure();
    else if (job.state === "cancelled") this.#frame("cancelled", () => [el("h3", {}, "Cancelled")]);
    else {
      this.#progress(stateWord(job.state));
      this.tick();
    }
    this.#acts(this.#actions());
  }

  /** What changes with the time alone. */
  tick() {
    if (this.job === null) return;
    this.#meta();
    if (this.isOver) return;
    const { eta, times, heard } = this.job;
    const since = (Date.now() - (heard ?? Date.now())) / 1000;
    const left = eta && { seconds: eta.seconds - since, low: eta.low - since, high: eta.high - since };
    const { text, range } = expectation(left);
    write(this.text, text);
    write(this.range, range);
    this.bar.classList.toggle("endless", left === null);
    this.bar.classList.toggle("late", left !== null && left.high <= 0);
    this.bar.setAttribute("aria-valuetext", `${stateWord(this.job.state)}. ${text}. ${range}`);
    if (left === null) return this.bar.removeAttribute("aria-valuenow");
    const gone = Math.max(0, (now() - Date.parse(times.created)) / 1000);
    const whole = gone + Math.max(left.high, 0.5);
    const part = (seconds) => Math.min(1, Math.max(0, (gone + seconds) / whole));
    this.bar.style.setProperty("--gone", part(0));
    this.bar.style.setProperty("--low", part(Math.max(0, left.low)));
    this.bar.style.setProperty("--half", part(Math.max(0, left.seconds)));
    this.bar.setAttribute("aria-valuenow", String(Math.min(99, Math.round((100 * gone) / (gone + Math.max(left.seconds, 0.5))))));
  }

  #head(state) {
    this.node.dataset.state = state;
    write(this.words, this.request?.prompt ?? "");
    this.words.hidden = !this.request?.prompt;
    this.words.title = this.request?.prompt ?? "";
    this.node.setAttribute("aria-label", `${short(this.title)}: ${stateWord(state)}`);
    this.#meta();
  }

  #meta() {
    const parts = [this.job?.model ?? this.request?.model];
    if (this.job?.times.created) parts.push(ago(Date.parse(this.job.times.created), now()));
    // Of what has failed only the provider knows whether it is charged; the total has what is documented of that.
    if (this.job?.cost && !["failed", "cancelled"].includes(this.job.state)) parts.push(price(this.job.cost));
    write(this.meta, parts.filter(Boolean).join(" · "));
  }

  /** What was asked for and is not so: it was paid for all the same. */
  #warn() {
    const said = [...(this.job.partial ? ["Fewer pictures came than were asked for."] : []), ...(this.job.warnings ?? [])];
    if (this.warnings.dataset.said === said.join("\n")) return;
    this.warnings.dataset.said = said.join("\n");
    this.warnings.hidden = said.length === 0;
    this.warnings.replaceChildren(...said.map((each) => el("p", {}, short(each, 240))));
  }

  /** Fills the frame where it shows something else. */
  #frame(what, make) {
    if (this.#shown === what) return;
    this.#shown = what;
    this.frame.replaceChildren(...make());
  }

  #progress(state) {
    this.#frame("progress", () => {
      this.state = el("h3", {});
      this.text = el("p", {});
      this.range = el("p", { className: "range" });
      this.bar = el(
        "div",
        { className: "bar endless", role: "progressbar", "aria-label": "Progress", "aria-valuemin": "0", "aria-valuemax": "100" },
        el("span", { className: "zone" }),
        el("span", { className: "gone" }),
        el("span", { className: "half" }),
      );
      return [el("div", { className: "making" }, this.state, this.bar, this.text, this.range)];
    });
    write(this.state, state);
  }

  #failure() {
    const { failure } = this.job;
    this.#frame("failure", () => [
      el("div", { className: "failure" },
        el("h3", {}, failureTitle(this.job)),
        failure?.reason ? el("p", { className: "reason" }, short(failure.reason, 240)) : null,
        el("p", { className: "help" }, this.help(failure?.action) ?? "")),
    ]);
  }

  #pictures() {
    const { outputs } = this.job;
    this.#frame("pictures", () => {
      if (outputs.length === 0) return [el("h3", {}, this.job.expired ? "Finished, and not kept any more" : "Finished, but without a picture")];
      const several = Math.min(outputs.length, 4);
      return [el("div", { className: `pictures many-${several}` }, ...outputs.slice(0, 4).map((output, n) => this.#picture(output, n)))];
    });
  }

  #picture(output, n) {
    const name = `${short(this.title, 100)}${this.job.outputs.length > 1 ? `, ${n + 1} of ${this.job.outputs.length}` : ""}`;
    const media =
      output.kind === "video"
        ? el("video", { src: output.url, muted: true, playsInline: true, preload: "metadata" })
        : el("img", { src: output.url, alt: name, decoding: "async", loading: "lazy" });
    const button = el("button", { type: "button", className: "picture", onclick: () => this.does.open(this, n) }, media);
    if (output.kind === "video") {
      button.setAttribute("aria-label", `Video: ${name}`);
      button.append(el("span", { className: "play", "aria-hidden": "true" }));
    } else button.setAttribute("aria-label", `Look at: ${name}`);
    media.addEventListener(output.kind === "video" ? "loadeddata" : "load", () => button.classList.add("there"));
    media.addEventListener("error", () => {
      const again = el("button", { type: "button", className: "quiet", onclick: () => missing.replaceWith(this.#picture(output, n)) }, "Load it again");
      const missing = el("div", { className: "missing" },
        el("p", {}, missingWords(output.kind, this.does.isSandbox())),
        el("div", { className: "acts" }, again, el("a", { className: "quiet", href: output.url, download: "" }, "Download")));
      button.replaceWith(missing);
    }, { once: true });
    return button;
  }

  #actions() {
    const { state, failure } = this.job;
    if (!OVER.has(state)) return [["Cancel", () => this.does.cancel(this)]];
    if (this.request === null) return [];
    const edit = [state === "failed" ? "Change it" : "Use again", () => this.does.edit(this)];
    const again = ["retry", "wait", "add_funds"].includes(failure?.action) && ["Try again", () => this.does.again(this)];
    return [again, edit].filter(Boolean);
  }

  #acts(actions) {
    const names = actions.map(([name]) => name).join();
    if (this.acts.dataset.names === names) return;
    const hadFocus = this.acts.contains(document.activeElement);
    this.acts.dataset.names = names;
    this.acts.replaceChildren(
      ...actions.map(([name, act]) => el("button", { type: "button", className: "quiet", "aria-label": `${name}: ${short(this.title)}`, onclick: act }, name)),
    );
    if (hadFocus) this.node.focus(); // what had it is gone
  }
}
