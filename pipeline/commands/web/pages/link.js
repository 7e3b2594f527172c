// The connection to the server: one WebSocket, opened again whenever it is gone.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;
/** What is waiting to leave a browser beyond this is too much: nothing is added to it. */
const MOST_BUFFERED_BYTES = 256 * 1024;

/** Calls `onFrame(frame)` for each frame, and `onState(state, reason)` for "up" and "down". */
export class Link {
  constructor(address, { onFrame, onState }) {
    this._address = address;
    this._onFrame = onFrame;
    this._onState = onState;
    this._pauseMs = FIRST_PAUSE_MS;
    this._socket = null;
    this._timer = null;
    this._reason = null;
    this._ended = false;
    this._heard = performance.now();
    globalThis.addEventListener("online", () => this._hurry());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this._hurry();
    });
    this._open();
  }

  get up() {
    return this._socket?.readyState === WebSocket.OPEN;
  }

  /** Milliseconds since the last frame, or since the connection was opened. */
  get silentMs() {
    return performance.now() - this._heard;
  }

  /** Give up the connection, which has gone silent, and open another one. */
  renew() {
    const socket = this._socket;
    this._gone(socket, "nothing came any more");
    socket?.close();
  }

  /** Send a frame; return whether it could be given to the connection. */
  send(frame) {
    return this.sendBytes(JSON.stringify(frame));
  }

  /** Send a message of samples; return whether it could be given to the connection. */
  sendBytes(bytes) {
    if (!this.up || this._socket.bufferedAmount > MOST_BUFFERED_BYTES) return false;
    this._socket.send(bytes);
    return true;
  }

  /** End for good. */
  close() {
    this._ended = true;
    clearTimeout(this._timer);
    this._socket?.close();
  }

  _open() {
    this._timer = null;
    const socket = new WebSocket(this._address);
    this._socket = socket;
    socket.addEventListener("open", () => {
      this._reason = null;
      this._heard = performance.now();
      this._onState("up", null);
    });
    socket.addEventListener("message", (event) => {
      if (socket !== this._socket) return; // given up
      this._heard = performance.now();
      const frame = JSON.parse(event.data);
      this._pauseMs = FIRST_PAUSE_MS;
      if (frame.type === "error") this._reason = frame.reason;
      this._onFrame(frame);
    });
    socket.addEventListener("close", (event) => {
      this._gone(socket, this._reason ?? (event.reason || null));
    });
  }

  _gone(socket, reason) {
    if (this._ended || socket !== this._socket || socket === null) return;
    this._socket = null;
    this._onState("down", reason);
    this._timer = setTimeout(() => this._open(), this._pauseMs * (0.8 + 0.4 * Math.random()));
    this._pauseMs = Math.min(LONGEST_PAUSE_MS, this._pauseMs * 2);
  }

  _hurry() {
    if (this._timer === null || this._ended) return;
    clearTimeout(this._timer);
    this._pauseMs = FIRST_PAUSE_MS;
    this._open();
  }
}
