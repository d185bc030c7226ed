// The page: what the form sends, the grid shows, and what both know of each other.

import { ask } from "./api.js";
import { Card } from "./card.js";
import { $, el, say, write } from "./dom.js";
import { Form } from "./form.js";
import { Live } from "./live.js";
import { Outbox } from "./outbox.js";
import { Viewer } from "./viewer.js";
import { OVER, failureTitle, short, total } from "./words.js";

const PAGE = 24;
const TOLD = "studio.told."; // what a job was asked for: the server does not tell a job's words, so they stay here
const MOST_TOLD = 1000;
const IDEAS = ["A lighthouse at dawn, seen from the water", "A fox asleep in autumn leaves", "A small harbour town after rain"];

const cards = new Map(); // job id to its card
const unsent = new Map(); // key to its card
let actions = {};
let isSandbox = false;
let next = null;

const does = {
  isSandbox: () => isSandbox,
  open: (card, n) => viewer.open(card, n),
  edit: (card) => {
    form.fill(card.request);
    $("prompt").focus();
    $("prompt").scrollIntoView({ block: "center" });
  },
  again: (card) => create(card.request, card.job.id),
  send: (card) => outbox.send(card.entry),
  hurry: (card) => outbox.hurry(card.entry),
  drop: (card) => {
    outbox.forget(card.entry);
    unsent.delete(card.entry.key);
    card.node.remove();
    summarise();
    $("pictures").focus();
  },
  cancel: async (card) => {
    write(card.note, "Cancelling…");
    try {
      live.add(await ask(card.job.links.self, { method: "DELETE", seconds: 90 }));
      write(card.note, "");
    } catch (problem) {
      const words = { 0: "There was no answer. Try it again.", unsupported: "It is with the provider, who cannot stop it: it goes on, and is paid for." };
      write(card.note, words[problem.code ?? problem.status] ?? problem.message);
    }
  },
};

const newCard = () => new Card(does, (action) => actions[action]);
const live = new Live({ told: show, link: (isUp) => linked(isUp) });
const outbox = new Outbox({
  changed(entry, how, problem) {
    let card = unsent.get(entry.key);
    if (!card) {
      unsent.set(entry.key, (card = newCard()));
      $("grid").prepend(card.node);
    }
    card.unsent(entry, how, problem);
    summarise();
  },
  taken(entry, job) {
    remember(job.id, entry.body);
    const card = unsent.get(entry.key);
    unsent.delete(entry.key);
    if (cards.has(job.id)) card.node.remove(); // another window, or the list, was first
    else cards.set(job.id, card);
    live.add(job);
  },
  refused(entry, problem) {
    unsent.get(entry.key)?.node.remove();
    unsent.delete(entry.key);
    summarise();
    form.problem([problem.message, actions[problem.action]].filter(Boolean).join(" "));
  },
});
const form = new Form({ submit: (body) => create(body) });
const viewer = new Viewer({
  use: does.edit,
  list: () =>
    inOrder().flatMap((card) => (card.job?.state === "completed" ? card.job.outputs.map((output, n) => ({ card, output, n })) : [])),
});

function create(body, button) {
  const entry = outbox.submit(body, button);
  if (entry && matchMedia("(max-width: 820px)").matches) $("pictures").scrollIntoView({ block: "start" });
  say(entry ? `Sent: ${short(body.prompt ?? body.model)}` : "It is on its way already.");
}

function inOrder() {
  const known = new Map([...cards.values(), ...unsent.values()].map((card) => [card.node, card]));
  return [...$("grid").children].map((node) => known.get(node)).filter(Boolean);
}

/** News of a job, from an answer, a list, a stream or another window. */
function show(job) {
  let card = cards.get(job.id);
  const before = card?.job?.state;
  if (before !== undefined && OVER.has(before) && before !== "unknown" && before !== job.state) return; // late news
  if (!card) {
    cards.set(job.id, (card = newCard()));
    const older = inOrder().find((each) => each.job && each.job.times.created < job.times.created);
    if (older) older.node.before(card.node);
    else $("grid").append(card.node);
  }
  if (!card.node.isConnected) $("grid").prepend(card.node);
  card.show(job, card.request ?? recall(job.id));
  if (before !== undefined && before !== job.state && OVER.has(job.state)) {
    const how = { completed: "Ready", cancelled: "Cancelled" }[job.state] ?? failureTitle(job);
    say(`${how}: ${short(card.title)}`);
  }
  if (before === job.state) return;
  summarise();
  spend();
}

function summarise() {
  const all = inOrder();
  const running = all.filter((card) => !card.isOver && !card.isStuck).length;
  const done = all.filter((card) => card.job?.state === "completed").length;
  $("empty").hidden = all.length > 0 || !$("unread").hidden;
  write($("summary"), [running && `${running} in progress`, done && `${done} ready`].filter(Boolean).join(" · "));
  document.title = running ? `(${running}) Studio` : "Studio";
}

let spending = 0;

/** What it has cost so far; a moment later, for news comes in crowds. */
function spend() {
  clearTimeout(spending);
  spending = setTimeout(async () => {
    try {
      const costs = await ask("/api/spent");
      const known = total(costs);
      const unknown = costs.unknown ? `${costs.unknown} of unknown cost` : "";
      const all = [known, unknown].filter(Boolean).join(", and ");
      write($("spent"), all ? `Spent so far: ${all}` : "Nothing spent yet");
    } catch {
      // With the next news.
    }
  }, 300);
}

let down = 0;

function linked(isUp) {
  clearTimeout(down);
  if (isUp) write($("link"), "");
  else down = setTimeout(() => write($("link"), "The connection is lost. The jobs go on, and this page catches up by itself."), 1500);
}

function remember(id, body) {
  try {
    localStorage.setItem(TOLD + id, JSON.stringify(body));
    const all = Object.keys(localStorage).filter((name) => name.startsWith(TOLD));
    for (const name of all.slice(0, Math.max(0, all.length - MOST_TOLD))) if (name !== TOLD + id) localStorage.removeItem(name);
  } catch {
    // No room, or not allowed: then its words are known until the next reload.
  }
}

function recall(id) {
  try {
    return JSON.parse(localStorage.getItem(TOLD + id));
  } catch {
    return null;
  }
}

/** The newest jobs, or those before the last one shown. */
async function history(cursor = null) {
  $("unread").hidden = true;
  try {
    const page = await ask(`/api/generations?limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
    for (const job of page.items) live.add(job);
    if (cursor !== null || next === null) next = page.next;
    $("older").hidden = next === null;
    linked(true);
  } catch (problem) {
    $("unread").hidden = false;
    const why = problem.status === 0 ? "The server does not answer." : problem.message;
    $("unread").replaceChildren(`Your pictures cannot be listed now. ${why} `, el("button", { type: "button", className: "quiet", onclick: () => history(cursor) }, "Try again"));
  }
  summarise();
}

async function choices() {
  try {
    const known = await ask("/api/studio");
    actions = known.actions;
    isSandbox = known.is_sandbox;
    $("mode").hidden = false;
    write($("mode"), isSandbox ? "Sandbox: nothing costs money" : "Real money");
    $("mode").classList.toggle("real", !isSandbox);
    form.references.mostBytes = known.max_upload_bytes;
    form.offer(known.connections);
    ideas();
  } catch (problem) {
    form.problem(problem.status === 0 ? "The models cannot be listed: the server does not answer. Trying again…" : problem.message);
    if (problem.retryable) setTimeout(choices, 3000);
  }
}

function ideas() {
  const failing = isSandbox ? ["A castle that is refused"] : [];
  $("ideas").replaceChildren(
    ...[...IDEAS, ...failing].map((text) =>
      el("li", {}, el("button", { type: "button", className: "quiet", onclick: () => idea(text) }, text)),
    ),
  );
}

function idea(text) {
  $("prompt").value = text;
  $("prompt").dispatchEvent(new Event("input", { bubbles: true }));
  $("create").focus();
}

$("older").addEventListener("click", () => history(next));
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && history());
addEventListener("pageshow", (event) => event.persisted && history());
addEventListener("online", () => history());
setInterval(() => [...cards.values()].forEach((card) => card.tick()), 1000);

await Promise.all([choices(), history()]);
outbox.resume();
spend();
