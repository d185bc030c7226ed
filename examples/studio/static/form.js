// The form: the providers, their models, and the fields of the chosen one.

import { ask } from "./api.js";
import { $, el, write } from "./dom.js";
import { References } from "./references.js";
import { amount, label, total } from "./words.js";

const DRAFT = "studio.draft";
// Asked for at once, in this order; everything else is under "More settings".
const FIRST = ["aspect_ratio", "width", "height", "duration", "resolution", "quantity", "batch_size"];
const NARROW = ["width", "height", "quantity", "batch_size", "duration", "resolution", "steps", "cfg", "guidance", "denoise"];
const RATIO = /^(\d+):(\d+)$/;

export class Form {
  #connections = [];
  #fields = new Map(); // name to { field, read, error, control }
  #estimating = 0;
  #asked = "";

  /** `submit(body)` when the form was filled in rightly and sent. */
  constructor({ submit }) {
    this.submit = submit;
    this.references = new References({ changed: () => this.#changed() });
    $("form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    $("prompt").addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("form").requestSubmit();
    });
    $("provider").addEventListener("change", () => this.#offer("", null));
    $("model").addEventListener("change", () => this.#show());
    $("form").addEventListener("input", () => this.#changed());
  }

  /** What there is to choose from, as `/api/studio` has it. */
  offer(connections) {
    this.#connections = connections;
    const draft = this.#draft();
    const usable = connections.filter((each) => each.models.length > 0);
    $("provider").replaceChildren(
      ...connections.map((each) =>
        el("option", { value: each.name, disabled: !each.models.length }, each.problem ? `${each.title} (not reachable)` : each.title),
      ),
    );
    if (usable.length === 0) {
      const why = connections.find((each) => each.problem)?.problem;
      this.problem(`There is no model to be had. ${why ?? "No provider is set up."}`);
      return;
    }
    $("provider").disabled = $("model").disabled = false;
    $("prompt").value ||= draft.prompt ?? "";
    this.fill(draft.model ? draft : { model: `${usable[0].name}/${usable[0].models[0].name}` });
  }

  /** Fills in a request, to be changed or sent again. */
  fill({ model, prompt, parameters = {} }) {
    const [provider, ...rest] = (model ?? "").split("/");
    if (this.#connections.some((each) => each.name === provider && each.models.length)) $("provider").value = provider;
    this.#offer(rest.join("/"), parameters);
    if (prompt !== undefined && prompt !== null) $("prompt").value = prompt;
    this.#changed();
  }

  /** Says what is wrong with the request, and leads there. */
  problem(text) {
    write($("problem"), text);
    if (text) $("problem").focus();
  }

  get #connection() {
    return this.#connections.find((each) => each.name === $("provider").value);
  }

  get #model() {
    return this.#connection?.models.find((each) => each.name === $("model").value);
  }

  #offer(chosen, parameters) {
    const models = this.#connection?.models ?? [];
    const groups = Map.groupBy ? Map.groupBy(models, (each) => each.kind) : new Map([["", models]]);
    const options = (list) => list.map((each) => el("option", { value: each.name }, each.title));
    const names = { image: "Pictures", video: "Videos" };
    $("model").replaceChildren(
      ...(groups.size > 1
        ? [...groups].map(([kind, list]) => el("optgroup", { label: names[kind] ?? kind }, ...options(list)))
        : options(models)),
    );
    if (models.some((each) => each.name === chosen)) $("model").value = chosen;
    this.#show(parameters);
  }

  #show(parameters = null) {
    const model = this.#model;
    if (!model) return;
    this.references.offer(model, parameters && (parameters.references ?? []));
    parameters ??= this.#values().parameters;
    const usual = model.seconds ? ` Usually takes about ${model.seconds < 90 ? `${Math.max(1, Math.round(model.seconds))} s` : `${Math.round(model.seconds / 60)} min`}.` : "";
    write($("about"), `${model.about ?? ""}${usual}`.trim());
    $("prompt-field").hidden = !model.takes_prompt;
    this.#fields = new Map(model.fields.map((field) => [field.name, made(field, parameters[field.name])]));
    const isFirst = (name) => FIRST.includes(name) || this.#fields.get(name).field.required;
    const rank = (name) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
    const names = [...this.#fields.keys()].sort((a, b) => rank(a) - rank(b));
    const nodes = (list) => list.map((name) => this.#fields.get(name).node);
    $("parameters").replaceChildren(...nodes(names.filter(isFirst)));
    $("others").replaceChildren(...nodes(names.filter((name) => !isFirst(name))));
    $("more").hidden = names.every(isFirst);
    this.#changed();
  }

  #values() {
    const parameters = {};
    for (const [name, each] of this.#fields) {
      const value = each.read();
      if (value !== undefined) parameters[name] = value;
    }
    const references = this.references.read();
    if (references.length) parameters.references = references;
    const takesPrompt = this.#model?.takes_prompt ?? true;
    return {
      model: `${$("provider").value}/${$("model").value}`,
      prompt: takesPrompt ? $("prompt").value.trim() : null,
      parameters,
    };
  }

  #send() {
    const body = this.#values();
    let first = null;
    for (const each of this.#fields.values()) if (!each.check()) first ??= each.control;
    const wordless = body.prompt === "";
    $("prompt").setAttribute("aria-invalid", String(wordless));
    write($("prompt-error"), wordless ? "Say what the picture should show." : "");
    if (!this.references.check()) first = $("add-reference");
    if (wordless) first = $("prompt");
    if (first) {
      if (first.closest("details")) $("more").open = true;
      first.focus();
      return;
    }
    if (!this.#model) return;
    this.problem("");
    this.submit(body);
  }

  #changed() {
    if ($("prompt").value.trim()) {
      $("prompt").removeAttribute("aria-invalid");
      write($("prompt-error"), "");
    }
    write($("problem"), "");
    const values = this.#values();
    try {
      sessionStorage.setItem(DRAFT, JSON.stringify(values));
    } catch {
      // Not allowed: then a reload begins with an empty form.
    }
    clearTimeout(this.#estimating);
    if (this.#model) this.#estimating = setTimeout(() => this.#estimate(values), 300);
  }

  async #estimate({ model, parameters }) {
    const { references, ...rest } = parameters; // which the price does not depend on
    const asked = JSON.stringify([model, rest]);
    if (asked === this.#asked) return;
    this.#asked = asked;
    let text;
    try {
      const costs = await ask("/api/estimate", { method: "POST", body: { model, parameters: rest } });
      const known = total(costs);
      if (known) text = `Costs ${known}`;
      else if (costs.amounts.length && !costs.unknown) text = `Costs ${amount(costs.amounts[0])}`;
      else text = "The price is known once it is accepted";
    } catch (problem) {
      text = problem.status === 422 ? "" : "The cost is not known just now";
      if (problem.status !== 422) this.#asked = "";
    }
    if (asked === this.#asked || this.#asked === "") write($("estimate"), text);
  }

  #draft() {
    try {
      return JSON.parse(sessionStorage.getItem(DRAFT)) ?? {};
    } catch {
      return {};
    }
  }
}

/** A field: its node, the control that takes the focus, what it says, and whether that can be right. */
function made(field, value) {
  if (field.kind === "choice" && field.choices.every((each) => RATIO.test(each))) return ratios(field, value);
  const id = `p-${field.name}`;
  const hint = field.about ? el("p", { className: "hint", id: `${id}-hint` }, bounds(field)) : null;
  const error = el("p", { className: "error", id: `${id}-error` });
  const shared = { id, "aria-describedby": [hint && hint.id, error.id].filter(Boolean).join(" ") };
  let control, read;
  if (field.kind === "choice") {
    const usual = field.default === null ? "Automatic" : `${field.default} (usual)`;
    const rest = field.choices.filter((each) => each !== field.default);
    control = el("select", shared, el("option", { value: "" }, usual), ...rest.map((each) => el("option", { value: each }, String(each))));
    if (rest.includes(value)) control.value = value;
    read = () => (control.value === "" ? undefined : field.choices.find((each) => String(each) === control.value));
  } else if (field.kind === "switch") {
    control = el("input", { ...shared, type: "checkbox", checked: value ?? field.default ?? false });
    read = () => (control.checked === (field.default ?? false) ? undefined : control.checked);
  } else if (field.kind === "text") {
    control = el("input", { ...shared, type: "text", value: value ?? "", placeholder: field.default ?? "", autocomplete: "off" });
    read = () => control.value.trim() || undefined;
  } else {
    const step = field.kind === "whole" ? "1" : "any";
    const inputMode = field.kind === "whole" ? "numeric" : "decimal";
    control = el("input", { ...shared, type: "number", step, inputMode, min: field.minimum ?? "", max: field.maximum ?? "", value: value ?? "", placeholder: field.default === null ? "Automatic" : String(field.default) });
    read = () => (control.value === "" ? undefined : Number(control.value));
  }
  const check = () => {
    const wrong = !control.validity.valid || (field.required && read() === undefined);
    control.setAttribute("aria-invalid", String(wrong));
    write(error, wrong ? control.validationMessage || "This is needed." : "");
    return !wrong;
  };
  const name = el("label", { for: id }, label(field.name));
  const node =
    field.kind === "switch"
      ? el("div", { className: "field switch" }, control, el("div", {}, name, hint, error))
      : el("div", { className: NARROW.includes(field.name) ? "field half" : "field" }, name, control, hint, error);
  return { field, node, control, read, check };
}

function bounds(field) {
  const { minimum, maximum } = field;
  if (minimum === null || maximum === null || field.kind === "choice") return field.about;
  return `${field.about} ${minimum} to ${maximum}.`;
}

/** Shapes to choose from: radio buttons, each drawn as what it stands for. */
function ratios(field, value) {
  const name = `p-${field.name}`;
  const options = [["", "Auto"], ...field.choices.map((each) => [each, each])].map(([choice, text]) => {
    const shape = el("span", { className: "shape" });
    const [, across, down] = (RATIO.exec(choice) ?? [0, 1, 1]).map(Number);
    const most = Math.max(across, down);
    shape.style.width = `${Math.max(5, (20 * across) / most)}px`;
    shape.style.height = `${Math.max(5, (20 * down) / most)}px`;
    if (!choice) shape.classList.add("any");
    const input = el("input", { type: "radio", name, value: choice, checked: choice === (value ?? "") });
    return el("label", { className: "ratio" }, input, el("span", { className: "shape-box" }, shape), text);
  });
  const inputs = options.map((each) => each.firstChild);
  const hint = el("p", { className: "hint", id: `${name}-hint` }, field.about ?? "");
  const node = el(
    "fieldset",
    { className: "field", "aria-describedby": hint.id },
    el("legend", {}, label(field.name)),
    el("div", { className: "ratios" }, ...options),
    hint,
  );
  return { field, node, control: inputs[0], read: () => inputs.find((each) => each.checked)?.value || undefined, check: () => true };
}
