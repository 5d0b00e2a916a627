// Whether a person is moving the window just now: by wheel, key, finger, or with a button held (the
// scrollbar, a selection). What moves it otherwise is the browser's layout, which also scrolls.

const LASTS_MS = 500; // a smooth scroll begins within this
const GOES_ON_MS = 200; // between two moves of one throw
const KEYS = new Set(["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", " ", "Tab"]);
const PASSIVE = { passive: true, capture: true };

export class Acts {
  constructor(element) {
    this.held = false;
    this.until = 0;
    this.gone = new AbortController();
    const on = (target, names, does) => {
      for (const name of names) target.addEventListener(name, does, { ...PASSIVE, signal: this.gone.signal });
    };
    const acted = () => this.last(LASTS_MS);
    on(element, ["touchstart", "touchmove", "touchend"], acted);
    on(element, ["wheel"], (event) => event.ctrlKey || acted()); // with Control it zooms
    on(element, ["keydown"], (event) => KEYS.has(event.key) && acted());
    on(element, ["pointerdown"], () => (this.held = true));
    // Of the scrollbar some browsers do not say that it was let go.
    on(window, ["pointermove"], (event) => event.buttons === 0 && this.release());
    on(window, ["pointerup", "pointercancel", "blur"], () => this.release());
  }

  get now() {
    return this.held || performance.now() < this.until;
  }

  // The window moved with the act: the same throw may move it further.
  goesOn() {
    this.last(GOES_ON_MS);
  }

  last(ms) {
    this.until = Math.max(this.until, performance.now() + ms);
  }

  release() {
    if (this.held) this.last(LASTS_MS);
    this.held = false;
  }

  stop() {
    this.gone.abort();
  }
}
