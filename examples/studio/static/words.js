// How things are said to people.  Nothing here touches the page.

export const OVER = new Set(["completed", "failed", "cancelled", "unknown"]);

const STATES = {
  unsent: "Sending",
  pending: "Waiting for its turn",
  submitting: "Being sent",
  queued: "In the provider’s queue",
  processing: "Being made",
  completed: "Ready",
  failed: "Failed",
  cancelled: "Cancelled",
  unknown: "Not known",
};

const FAILURES = {
  content_moderated: "Refused by the content rules",
  generation_failed: "The model failed",
  output_not_found: "Finished, but without a picture",
  budget_exhausted: "No funds",
  image_too_large: "A picture is too large",
  unsupported_format: "A picture has an unknown format",
  corrupt_input: "A picture cannot be read",
  invalid_request: "Not taken as it is",
  rate_limited: "The provider is too busy",
  auth: "The provider does not take the key",
  not_found: "The provider does not know it any more",
  provider_error: "The provider failed",
  gone: "This server does not know it any more",
};

export const stateWord = (state) => STATES[state] ?? state;

export function failureTitle(job) {
  if (job.state === "unknown") return "Nobody knows whether it runs";
  return FAILURES[job.failure?.code] ?? "It failed";
}

/** Why an output that is there cannot be seen. */
export function missingWords(kind, isSandbox) {
  if (kind !== "video") return "It cannot be shown here. The provider may not have it any more, or it is a file to download.";
  return isSandbox ? "The sandbox’s videos have nothing in them. The provider’s own play here." : "It cannot be played here.";
}

export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 90) return `${whole} s`;
  if (whole < 5400) return `${Math.round(whole / 60)} min`;
  return `${Math.round(whole / 3600)} h`;
}

/** What is expected, with how sure that is: half end by `seconds`, one in ten by `low`, nine in ten by `high`. */
export function expectation(eta) {
  if (eta === null) return { text: "Nobody knows yet how long it takes", range: "" };
  if (eta.high <= 0) return { text: "Takes longer than most", range: "It is still being followed" };
  const text = eta.seconds >= 2 ? `About ${duration(eta.seconds)} left` : "Any moment now";
  const low = Math.max(0, Math.round(eta.low));
  const high = Math.max(1, Math.ceil(eta.high));
  const span = high < 90 ? `${low}–${high} s` : `${duration(low)} to ${duration(high)}`;
  return { text, range: low > 0 ? `8 in 10 end in ${span}` : `9 in 10 end within ${duration(high)}` };
}

const dollars = (amount) =>
  new Intl.NumberFormat("en", { style: "currency", currency: "USD", maximumFractionDigits: amount < 0.1 ? 3 : 2 }).format(amount);

export function amount(cost) {
  const number = Number(cost.amount);
  if (cost.unit === "DOLLARS") return dollars(number);
  const unit = cost.unit.toLowerCase();
  return `${new Intl.NumberFormat("en").format(number)} ${number === 1 ? unit.replace(/s$/, "") : unit}`;
}

export const price = (cost) => `${cost.is_estimate ? "about " : ""}${amount(cost)}`;

/** Several costs together, as `/api/estimate` and `/api/spent` have them; "" if there is nothing to say. */
export function total(costs) {
  const known = costs.amounts.filter((each) => Number(each.amount) > 0).map(amount);
  if (known.length === 0) return "";
  return `${costs.is_estimate ? "about " : ""}${known.join(" and ")}`;
}

export function label(name) {
  const words = name.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

export function ago(date, now) {
  const seconds = (now - date) / 1000;
  if (seconds < 60) return "just now";
  if (seconds < 86_400) return `${duration(seconds)} ago`;
  return new Intl.DateTimeFormat("en", { day: "numeric", month: "short" }).format(date);
}

export const short = (text, letters = 60) => (text.length > letters ? `${text.slice(0, letters - 1).trimEnd()}…` : text);
