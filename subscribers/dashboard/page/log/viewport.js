// The window on the rows: only those that are seen, and a few around them, are elements. It stays
// at its place (a row, and where in it) whatever is loaded, folded or let go above; or at the end.

import { Acts } from "./acts.js";
import { Scale } from "./scale.js";

const AROUND = 14; // rows beyond each edge
const KEEP = { preventScroll: true };

export class Viewport {
  // `on`: {scrolled(): a person moved it, rendered(slice): these rows are elements now}
  constructor(scroller, spacer, layer, { rows, view, rowView, on }) {
    Object.assign(this, { scroller, spacer, layer, rows, view, rowView, on });
    this.scale = new Scale();
    this.acts = new Acts(scroller);
    this.nodes = new Map();
    this.top = 0;
    this.height = 0;
    this.placed = 0; // where the scrollbar was put or seen last
    this.following = true;
    this.anchor = null; // {line, key, offset}: this row's top is `offset` above the window's
    this.frame = 0;
    this.width = 0;
    scroller.addEventListener("scroll", () => this.moved(), { passive: true });
  }

  moved() {
    if (this.adopt()) this.on.scrolled();
  }

  // Go where the scrollbar is; false where we put it there, it moved sideways, or the browser moved
  // it: the window became another one, or it was taken from the document and put back. Who follows
  // is sure to go on until they act themselves.
  adopt() {
    const now = this.scroller.scrollTop;
    if (Math.abs(now - this.placed) < 1) return false;
    if (this.scroller.clientHeight !== this.height || (this.following && !this.acts.now)) {
      this.placed = now;
      this.schedule();
      return false;
    }
    this.acts.goesOn();
    const top = this.scale.moved(this.top, this.placed, now);
    this.placed = now;
    this.settle(top);
    return true;
  }

  // A person wants to be at this height.
  settle(top) {
    const { most } = this.scale;
    this.top = Math.max(0, Math.min(most, top));
    this.following = this.top >= most - 1;
    this.anchor = this.anchorAt(this.top);
    this.schedule();
  }

  anchorAt(top) {
    const [found] = this.rows.slice(top, top + 1);
    return found ? { line: found.row.line, key: found.row.key, offset: top - found.top } : null;
  }

  scrollBy(pixels) {
    this.settle(this.top + pixels);
    this.on.scrolled();
  }

  follow() {
    this.following = true;
    this.schedule();
  }

  unfollow() {
    this.following = false;
    this.anchor = this.anchorAt(this.top);
  }

  // Bring a line into the window, a third down from its top.
  show(line) {
    this.following = false;
    this.anchor = { line, offset: -Math.round(this.height / 3) };
    this.schedule();
  }

  // Move no more than is needed for a row to be seen.
  bring(found) {
    const above = found.top - this.top;
    const below = found.top + found.height - (this.top + this.height);
    if (above < 0) this.settle(this.top + above);
    else if (below > 0) this.settle(this.top + below);
  }

  schedule() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.render();
    });
  }

  stop() {
    cancelAnimationFrame(this.frame);
    this.frame = -1;
    this.acts.stop();
  }

  render() {
    this.moved(); // in the window as it was drawn last
    const height = (this.height = this.scroller.clientHeight);
    this.place(height);
    const around = AROUND * this.view.rowHeight;
    let slice = this.rows.slice(this.top - around, this.top + height + around);
    this.reconcile(slice);
    if (this.view.columns > 0 && this.measure(slice)) {
      this.place(height);
      const page = slice[0] && this.rows.findOn(slice[0].page, slice[0].row.line, slice[0].row.key);
      if (page) slice[0] = page;
      this.schedule();
    }
    const scroll = this.scale.scroll(this.top);
    // Read back only what was written: reading makes the browser lay out the rows at once.
    if (Math.abs(this.placed - scroll) >= 1 && (this.scale.exact || this.drifted(scroll))) {
      this.scroller.scrollTop = scroll;
      this.placed = this.scroller.scrollTop;
    }
    const first = slice[0]?.top ?? 0;
    this.layer.style.transform = `translateY(${Math.round(this.placed + first - this.top)}px)`;
    this.on.rendered(slice);
  }

  // Where the log is longer than a browser scrolls, the scrollbar is put right only when it has to.
  drifted(scroll) {
    const room = this.height;
    const edge = this.placed < room || this.placed > this.scale.height - 2 * room;
    return edge || this.following || Math.abs(scroll - this.placed) > 4 * room;
  }

  // Nothing that was drawn holds any more.
  clear() {
    this.reconcile([]);
  }

  place(height) {
    const total = this.rows.height;
    this.scale.fit(total, height);
    const px = `${this.scale.height}px`;
    if (this.spacer.style.height !== px) this.spacer.style.height = px;
    const found = !this.following && this.anchor && this.rows.find(this.anchor.line, this.anchor.key);
    const top = this.following ? this.scale.most : found ? found.top + this.anchor.offset : this.top;
    this.top = Math.max(0, Math.min(this.scale.most, top));
  }

  reconcile(slice) {
    const { layer, nodes, rowView } = this;
    const wanted = new Set(slice.map(({ row }) => row.key));
    for (const [key, node] of nodes) {
      if (wanted.has(key)) continue;
      if (node.contains(document.activeElement)) this.scroller.focus(KEEP);
      node.remove();
      nodes.delete(key);
    }
    let at = layer.firstChild;
    let before;
    for (const { row } of slice) {
      const sign = rowView.sign(row);
      let node = nodes.get(row.key);
      if (!node || node.rowSign !== sign) {
        const fresh = rowView.draw(row);
        fresh.rowSign = sign;
        if (node) {
          const focused = node.contains(document.activeElement);
          if (at === node) at = fresh;
          node.replaceWith(fresh);
          if (focused) (fresh.querySelector(".opener") ?? this.scroller).focus(KEEP);
        }
        nodes.set(row.key, (node = fresh));
      }
      if (node === at) at = at.nextSibling;
      else layer.insertBefore(node, at);
      if (row.kind === "mark" || row.kind === "gap") continue;
      node.classList.toggle("jump", this.view.filter.onlyHits && row.line > before);
      before = row.open ? row.line + 1 : row.next;
    }
  }

  // Wrapped lines are as high as the browser makes them; whether any was not as guessed.
  measure(slice) {
    let changed = false;
    for (const { row, page, index } of slice) {
      const { height } = this.nodes.get(row.key).getBoundingClientRect();
      changed = this.rows.measured(page, index, height) || changed;
    }
    return changed;
  }

  // The layer is as wide as the widest line that was seen, so that the scrollbar does not jump.
  widen(width) {
    if (width <= this.width && width !== 0) return;
    this.width = width;
    this.layer.style.minWidth = width ? `max(100%, ${width}px)` : "";
  }

  // The rows that can be seen, wholly or in part.
  get visible() {
    return this.rows.slice(this.top, this.top + this.height);
  }
}
