// How long a phone has had its activity and how surely, in words. No DOM.
//
// Of a phone that is offline nothing is known now: its last activity is told with its end.

import { clockText, durationText, percentText } from "./durations.js";

/** Return since when a phone has its activity; `clock` is the server's time. */
export function sinceWords(phone, clock) {
  if (phone.since === null) return "no activity yet";
  if (!phone.offline) return `for ${durationText(phone.timeAt(clock) - phone.since)}`;
  const until = phone.knownUntil;
  if (until <= phone.since) return `last known from ${clockText(phone.since, clock)}`;
  return `for ${durationText(until - phone.since)}, until ${clockText(until, clock)}`;
}

/** Return how surely, "" where that means nothing: `unknown` is what no activity is sure of. */
export function sureWords(phone) {
  if (phone.probability === null || phone.activityName === "unknown") return "";
  return `${percentText(phone.probability)} sure`;
}
