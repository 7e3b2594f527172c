// Keeps the screen awake while this phone is the sensor, and tells whether it can.

export class WakeLock {
  /** `onState(words)` is called with how it stands. */
  constructor(onState) {
    this._onState = onState;
    this._wanted = false;
    this._lock = null;
    document.addEventListener("visibilitychange", () => {
      if (this._wanted && !document.hidden) this._take();
    });
  }

  begin() {
    this._wanted = true;
    this._take();
  }

  end() {
    this._wanted = false;
    this._lock?.release();
    this._lock = null;
    this._onState("–");
  }

  async _take() {
    if (!("wakeLock" in navigator)) {
      this._onState("may sleep: set its lock to never");
      return;
    }
    try {
      const lock = await navigator.wakeLock.request("screen");
      if (!this._wanted) {
        lock.release();
        return;
      }
      this._lock = lock;
      this._onState("kept awake");
      lock.addEventListener("release", () => {
        if (this._wanted && this._lock === lock) this._onState("may sleep");
      });
    } catch {
      this._onState("may sleep: battery saver?");
    }
  }
}
