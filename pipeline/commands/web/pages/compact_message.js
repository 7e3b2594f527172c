// Samples as har-stream's compact form: MessagePack, with times and rows as the bytes of arrays. No DOM.
//
// Rows are float32, which is finer than what any browser gives: an int16 that holds the 4,000 °/s
// that phones measure has steps of 0.12 °/s, more than Chrome's, and with a scale that goes by the
// message a sample would depend on those that are sent with it.

/** Whether a sample has all its numbers: the compact form has no place for those that are hidden. */
export function isWhole(sample) {
  return Object.values(sample).every(Number.isFinite);
}

/** Return the message of whole samples, for the server. */
export function compactMessage(samples, { platform, recording }) {
  const rows = (keys) => {
    const bytes = new DataView(new ArrayBuffer(samples.length * keys.length * 4));
    samples.forEach((sample, row) => keys.forEach((key, column) => {
      bytes.setFloat32((row * keys.length + column) * 4, sample[key], true);
    }));
    return bytes;
  };
  const time = new DataView(new ArrayBuffer(samples.length * 8));
  samples.forEach((sample, row) => time.setFloat64(row * 8, sample.t, true));
  return packed({
    v: 1,
    recording,
    convention: platform === "ios" ? "ios" : "android",
    time,
    acc: rows(["agx", "agy", "agz"]),
    acc_unit: "m/s2",
    gyro: rows(["rx", "ry", "rz"]),
    gyro_unit: "deg/s",
  });
}

/** Return the map of MessagePack of an object of small integers, texts and bytes. */
function packed(object) {
  const pieces = [[0x80 + Object.keys(object).length]];
  for (const [key, value] of Object.entries(object)) {
    pieces.push(...text(key));
    if (typeof value === "string") pieces.push(...text(value));
    else if (typeof value === "number") pieces.push([value]);
    else pieces.push(head(0xc6, value.byteLength, 4), new Uint8Array(value.buffer));
  }
  const message = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    message.set(piece, at);
    at += piece.length;
  }
  return message;
}

function text(value) {
  const bytes = new TextEncoder().encode(value);
  return [bytes.length < 32 ? [0xa0 + bytes.length] : head(0xda, bytes.length, 2), bytes];
}

/** Return a type's first byte and a length in so many bytes, big-endian. */
function head(type, length, size) {
  const bytes = new DataView(new ArrayBuffer(1 + size));
  bytes.setUint8(0, type);
  if (size === 2) bytes.setUint16(1, length);
  else bytes.setUint32(1, length);
  return new Uint8Array(bytes.buffer);
}
