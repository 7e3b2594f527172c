// Times and quantities in words, for people. No DOM.

/** Seconds as "now", "12 s", "3 min 04 s", "2 h 05 min" or "3 days". */
export function durationText(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (!Number.isFinite(whole)) return "unknown";
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${twoDigits(whole % 60)} s`;
  if (whole < 86_400) {
    return `${Math.floor(whole / 3600)} h ${twoDigits(Math.floor((whole % 3600) / 60))} min`;
  }
  const days = Math.floor(whole / 86_400);
  return days === 1 ? "1 day" : `${days} days`;
}

function twoDigits(number) {
  return String(number).padStart(2, "0");
}

/** Epoch seconds as this machine's time of day, "14:03:07"; with the date if it is not today's. */
export function clockText(epochSeconds, now = Date.now() / 1000) {
  const date = new Date(epochSeconds * 1000);
  if (Number.isNaN(date.getTime())) return "unknown";
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(":");
  const today = new Date(now * 1000).toDateString() === date.toDateString();
  if (today) return time;
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()].map(twoDigits).join("-");
  return `${day} ${time}`;
}

/** A probability as "97 %"; never 100 unless it is all but certain. */
export function percentText(probability) {
  if (!Number.isFinite(probability)) return "–";
  const percent = probability * 100;
  return `${percent >= 99.5 && percent < 99.95 ? 99 : Math.round(percent)} %`;
}

/** A rate as "50 Hz". */
export function rateText(hz) {
  return Number.isFinite(hz) ? `${hz < 10 ? hz.toFixed(1) : Math.round(hz)} Hz` : "–";
}

/** A delay as "24 ms" or "1.3 s". */
export function latencyText(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

/** A count with its noun: "1 phone", "9 phones". */
export function countText(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
