// The addresses of the phone page, as text and as QR codes.

import { element } from "./elements.js";

export class ConnectDialog {
  constructor(button, dialog, list) {
    this._button = button;
    this._list = list;
    button.addEventListener("click", () => dialog.showModal());
  }

  setAddresses(addresses) {
    this._button.hidden = addresses.length === 0;
    this._list.replaceChildren(...addresses.map(({ url, qr }) => {
      const children = [element("a", { href: url, text: url })];
      const drawn = drawing(qr);
      if (drawn) {
        children.push(element("div", { class: "qr", role: "img", "aria-label": `QR code of ${url}` }, [
          drawn,
        ]));
      }
      return element("li", {}, children);
    }));
  }
}

/** Return an SVG's text as an element of this page, null if it is none. */
function drawing(text) {
  if (!text) return null;
  const { documentElement } = new DOMParser().parseFromString(text, "image/svg+xml");
  if (documentElement.nodeName !== "svg") return null;
  const drawn = document.importNode(documentElement, true);
  const [width, height] = ["width", "height"].map((name) => parseFloat(drawn.getAttribute(name)));
  if (!drawn.hasAttribute("viewBox") && width && height) {
    drawn.setAttribute("viewBox", `0 0 ${width} ${height}`);
  }
  drawn.setAttribute("aria-hidden", "true");
  return drawn;
}
