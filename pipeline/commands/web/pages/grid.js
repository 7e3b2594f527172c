// The phones of the overview in their order: which are in view, and where the keyboard is.

import { arranged, placeAfter } from "./arrangement.js";
import { Card } from "./card.js";

export class Grid {
  /** `onWatch` is called when other phones have come into view. */
  constructor(node, { onWatch }) {
    this.node = node;
    this.cards = new Map();
    this._onWatch = onWatch;
    this._order = [];
    this._current = null;
    this._byNode = new WeakMap();
    this._observer = new IntersectionObserver((entries) => this._seen(entries), {
      rootMargin: "150px",
    });
    node.addEventListener("keydown", (event) => this._move(event));
    node.addEventListener("focusin", (event) => {
      const card = this._byNode.get(event.target.closest(".card"));
      if (card) this._setCurrent(card);
    });
  }

  get visible() {
    return this._order.filter((card) => card.visible);
  }

  /** Up to `most` cards out of view that are out of date; who cannot see may read them too. */
  hiddenDirty(most) {
    const found = [];
    for (const card of this._order) {
      if (found.length >= most) break;
      if (card.dirty && !card.visible) found.push(card);
    }
    return found;
  }

  /** Name of the phone whose card has the keyboard, null if none has. */
  get focused() {
    const card = this._byNode.get(document.activeElement?.closest?.(".card") ?? this.node);
    return card ? card.phone.name : null;
  }

  mark(names) {
    for (const name of names) {
      const card = this.cards.get(name);
      if (card) card.dirty = true;
    }
  }

  markAll() {
    for (const card of this.cards.values()) card.dirty = true;
  }

  /** List these phones in this order, and no others; return how many that are. */
  arrange(phones, choice, activities, now) {
    for (const [name, card] of this.cards) {
      if (phones.get(name) !== card.phone) this._remove(name, card);
    }
    const order = arranged([...phones.values()], choice, activities)
      .map((phone) => this._cardOf(phone, activities, now));
    if (!sameOrder(order, this._order)) this._place(order);
    return order.length;
  }

  _cardOf(phone, activities, now) {
    let card = this.cards.get(phone.name);
    if (!card) {
      card = new Card(phone);
      card.write(activities, now);
      this.cards.set(phone.name, card);
      this._byNode.set(card.node, card);
    }
    return card;
  }

  _remove(name, card) {
    this._observer.unobserve(card.node);
    card.visible = false;
    card.node.remove();
    this.cards.delete(name);
    if (this._current === card) this._current = null;
  }

  _place(order) {
    const focused = document.activeElement;
    const wanted = new Set(order);
    for (const card of this._order) {
      if (wanted.has(card)) continue;
      this._observer.unobserve(card.node);
      card.visible = false;
      card.node.remove();
    }
    let before = null;
    for (const card of order) {
      const follows = before ? before.node.nextSibling : this.node.firstChild;
      if (follows !== card.node) this.node.insertBefore(card.node, follows);
      this._observer.observe(card.node);
      before = card;
    }
    this._order = order;
    if (!this._current || !wanted.has(this._current)) {
      if (order.length) this._setCurrent(order[0]);
    }
    if (focused && focused !== document.activeElement && this.node.contains(focused)) {
      focused.focus({ preventScroll: true });
    }
    this._onWatch();
  }

  _seen(entries) {
    for (const entry of entries) {
      const card = this._byNode.get(entry.target);
      if (!card) continue;
      card.visible = entry.isIntersecting;
      card.dirty = true;
      if (!card.visible) card.rest();
    }
    this._onWatch();
  }

  /** One card at a time can be reached with Tab; the arrow keys move on from there. */
  _setCurrent(card) {
    if (this._current === card) return;
    if (this._current) this._current.link.tabIndex = -1;
    card.link.tabIndex = 0;
    this._current = card;
  }

  /** Put the keyboard on a phone's card; return whether it has one. */
  focus(name) {
    const card = this.cards.get(name);
    if (!card || !this._order.includes(card)) return false;
    card.link.focus();
    return true;
  }

  _move(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const place = this._order.indexOf(this._current);
    if (place < 0) return;
    const next = placeAfter(event.key, place, this._columns(), this._order.length);
    if (next === null) return;
    event.preventDefault();
    this._order[next].link.focus();
  }

  _columns() {
    return getComputedStyle(this.node).gridTemplateColumns.split(" ").length;
  }
}

function sameOrder(one, other) {
  return one.length === other.length && one.every((card, index) => card === other[index]);
}
