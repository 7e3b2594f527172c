// The message har/<device>/info in words. No DOM.

const BY = {
  set: "as set for har-stream",
  stated: "as its messages state",
  calibrated: "as calibrated",
  prepared: "as for prepared samples",
  assumed: "assumed",
  proved: "as its messages show",
};

const CALIBRATION_USE = {
  "waist-only": "of use only if it is worn at the waist",
  none: "would change nothing",
};

/** Return `[term, words]` for what is known of a phone, in the order in which it is read. */
export function infoWords(info) {
  if (!info) return [["Samples", "none yet"]];
  const words = [];
  const add = (term, text) => {
    if (text) words.push([term, text]);
  };
  add("Name", info.name && `${info.name}, of the device ${info.device}`);
  add("Samples", info.format && `${info.format} on ${info.topic}`);
  const rates = Object.entries(info.rates_hz ?? {});
  add("Rates", rates.map(([sensor, hz]) => `${sensor.replaceAll("_", " ")} ${hz} Hz`).join(", "));
  add("Worn", info.placement && withReason(
    info.placement === "waist" ? "at the waist" : "anywhere on the body", info.placement_by,
  ));
  add("Frame", info.frame && info.frame.replaceAll("-", " "));
  add("Sign", info.convention && withReason(
    { ios: "iOS", android: "Android" }[info.convention] ?? info.convention, info.convention_by,
  ));
  add("Model", info.model);
  add("Upright", info.upright && { known: "known from walking", unknown: "not known yet" }[info.upright]);
  add("Calibration", CALIBRATION_USE[info.calibration]);
  add("Clocks", info.clocks_apart_s && `the sensors' clocks are ${Math.abs(info.clocks_apart_s)} s apart`);
  add("Rejected", Object.entries(info.rejected ?? {}).map(([why, count]) => `${count} for ${why}`).join(", "));
  return words;
}

function withReason(text, by) {
  return by ? `${text}, ${BY[by] ?? by}` : text;
}
