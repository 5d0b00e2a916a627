// What a person can do with a pane: by key, by button, by pointer.

import { Copying } from "./copying.js";
import { Finding } from "./finding.js";
import { keyboard } from "./keyboard.js";
import { LineField } from "./line_field.js";
import { Moving } from "./moving.js";
import { pageOf } from "./page.js";
import { Toolbar } from "./toolbar.js";

const TOAST_MS = 2500;

export class Commands {
  constructor(pane) {
    this.pane = pane;
    const say = (text) => this.say(text);
    this.moving = new Moving(pane, say);
    this.finding = new Finding(pane, this.moving, say);
    this.copying = new Copying(pane, say);
    this.lineField = new LineField({ go: (line) => this.moving.jump(line), close: () => pane.focus() });
    const { api, cluster, job } = pane.options;
    const logUrl = (format) => api.logUrl(cluster, job, { format });
    this.toolbar = new Toolbar(pane.store, pane.filter, this.byName(), logUrl);
  }

  // Everything by its name, for buttons and keys.
  byName() {
    const { pane, moving, finding, copying } = this;
    const names = (part, ...list) => Object.fromEntries(list.map((name) => [name, () => part[name]()]));
    return {
      ...names(moving, "up", "down", "pageUp", "pageDown", "begin", "follow", "toggleFollow"),
      ...names(finding, "openSearch", "nextHit", "previousHit", "nextError", "previousError"),
      ...names(copying, "copyLink"),
      ...names(this, "askLine", "open", "dismiss"),
      toggleWrap: () => pane.look.flip("wrap"),
      toggleTime: () => pane.look.flip("time"),
      toggleNumbers: () => pane.look.flip("numbers"),
      filtered: () => pane.refilter(),
      level: (least) => {
        pane.filter.level = least;
        pane.refilter();
      },
    };
  }

  listen() {
    const { pane } = this;
    pane.body.append(this.lineField.element);
    pane.root.addEventListener("keydown", keyboard(this.byName()));
    pane.layer.addEventListener("click", (event) => this.pressed(event));
    this.copying.listen();
  }

  stop() {
    this.copying.stop();
    this.finding.errors.cancel();
    clearTimeout(this.toastTimer);
  }

  // Said to the eye and the ear, for a moment.
  say(text) {
    const { pane } = this;
    pane.announcer.now(text);
    clearTimeout(this.toastTimer);
    this.toast?.remove();
    this.toast = Object.assign(document.createElement("div"), { className: "log-toast", textContent: text });
    this.toast.setAttribute("aria-hidden", "true");
    pane.body.append(this.toast);
    this.toastTimer = setTimeout(() => this.toast.remove(), TOAST_MS);
  }

  askLine() {
    this.lineField.open();
  }

  // Open or close the block under the cursor; else the first one in sight.
  open() {
    const { pane } = this;
    const blocks = pane.viewport.visible.map(({ row }) => row).filter((row) => row.open !== undefined || row.run !== undefined);
    const row = blocks.find((block) => this.moving.isOn(block)) ?? blocks.find((block) => block.open !== undefined);
    if (!row) return false;
    const heads = row.open === undefined ? ["f", "b"].map((kind) => pane.rows.find(row.run, `${kind}${row.run}`)?.row) : [row];
    const head = heads.find((found) => found?.open !== undefined);
    if (!head) return false;
    pane.setOpen(head, !head.open);
    this.moving.setCursor(head);
    return true;
  }

  pressed(event) {
    const { pane } = this;
    const node = event.target.closest(".row");
    if (!node) return;
    const found = [...pane.viewport.nodes].find(([, other]) => other === node);
    const row = found && pane.rows.find(Number(node.dataset.line), found[0])?.row;
    if (!row) return;
    const does = event.target.closest("[data-do]")?.dataset.do;
    if (does === "number") {
      if (event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.copying.pickNumber(row.line, event.shiftKey);
      this.moving.cursorKey = row.key;
    } else if (does === "open") pane.setOpen(row, !row.open);
    else if (does === "doubt") {
      pane.store.doubt(row.gap);
      pane.update();
    } else if (does === "uncut") {
      pane.view.uncut.add(row.line);
      pane.rows.refresh([pageOf(row.line)]);
      pane.redraw();
    } else if (!this.copying.selection.active) this.moving.setCursor(row);
  }

  dismiss() {
    const { pane, finding } = this;
    if (finding.dismiss()) return true;
    if (!pane.state.selection) return false;
    pane.pick(null);
    return true;
  }
}
