// The addresses within the pages: which phone is opened. No DOM.

const OPENED = /^#\/phone\/(.+)$/;

/** Return the name of the phone that an address opens, null if it opens none. */
export function openedPhone(hash) {
  const found = OPENED.exec(hash);
  if (!found) return null;
  try {
    return decodeURIComponent(found[1]);
  } catch {
    return null;
  }
}

/** Return the address that opens a phone. */
export function addressOf(name) {
  return `#/phone/${encodeURIComponent(name)}`;
}

/** Return the address of the server's WebSocket for a page at `location`; `device` for a phone. */
export function socketAddress(location, device = null) {
  const address = new URL("/ws", location);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  if (device !== null) address.searchParams.set("device", device);
  return address.href;
}
