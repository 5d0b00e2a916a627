// The page: it puts the parts together, and keeps the address and what is shown the same.

import { createAlerts, firingSentence, loudOf, worstOf } from "./alerts.js";
import { api } from "./api.js";
import { createBar } from "./bar.js";
import { announce, h, setText, toast } from "./dom.js";
import { nameDownloads } from "./downloads.js";
import { createHome } from "./home.js";
import { createJobList } from "./jobs.js";
import { bindKeys, listenForKeys, showHelp } from "./keys.js";
import { createNotices } from "./notices.js";
import { createPanel } from "./panel.js";
import { paneKeys } from "./pane_keys.js";
import { createPanes } from "./panes.js";
import { createPlots } from "./plots.js";
import { MAX_PANES, format, parse, same } from "./route.js";
import { changeSettings, getSettings } from "./settings.js";
import { showSettings } from "./settings_dialog.js";
import { signIn } from "./sign_in.js";

const TICK_MS = 1_000;
const BLIP_MS = 1_000; // a connection that is back by then was never worth a banner

let route = parse(location.href);
let jobs = null;
let alerts = { configured: false, firing: [], history: [], mutes: [], receivers: [] };
let session = null;
let hasSignedIn = false;
let lostSince = 0;
let banner;

const root = document.getElementById("app");
const main = document.getElementById("main");
main.replaceChildren();
const heading = h("h1", { class: "unseen" });
const homeAt = h("div", { class: "home" });
const panesAt = h("div", { class: "panes-frame", hidden: true });
const panelAt = h("section", { class: "panel", hidden: true });
main.append(heading, homeAt, panesAt, panelAt);

const plots = createPlots({ api });
const alertList = createAlerts({ open: (job, line) => go({ panes: opened(job), line }) });
const bar = createBar(document.getElementById("bar"), {
  home: () => go({ panes: [], panel: "" }),
  panel: togglePanel,
  settings: openSettings,
  help: showHelp,
  account: openSettings,
});
const list = createJobList(document.getElementById("jobs"), { open: openJob });
const home = createHome(homeAt, { plots, alerts: alertList });
const panel = createPanel(panelAt, { plots, alerts: alertList, choose: (name) => go({ panel: name }) });
const panes = createPanes(panesAt, {
  api,
  on: {
    close: closePane,
    line: lineChosen,
    showAlerts: () => go({ panel: "alerts" }),
    home: () => go({ panes: [], panel: "" }),
    signOut,
    session: () => session,
    announce,
  },
});

// The address ------------------------------------------------------------------------------------

// A line that is named is gone to; else the one of the first log stays in the address.
function go(changes, { replace = false } = {}) {
  const here = parse(location.href); // the log itself writes a range of lines there
  const [before] = here.panes;
  const [after] = changes.panes ?? here.panes;
  const kept = before && after && same(before, after) && !changes.line;
  route = { ...here, ...(kept ? {} : { line: null, last: null }), ...changes };
  const url = format(route);
  if (replace || url === location.pathname + location.search + location.hash) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  show(changes.line ?? null);
}

// `line`: where the first log is to be now, null to leave it where it is.
function show(line) {
  const isHome = route.panes.length === 0;
  panesAt.hidden = isHome;
  root.dataset.view = isHome ? "home" : "log";
  root.dataset.panel = route.panel;
  panes.show(route.panes, line);
  list.open(route.panes);
  alertList.first(route.panes);
  offerPlots();
  if (isHome) {
    panel.show("");
    home.show();
    if (route.panel) home.focus(route.panel);
  } else {
    home.hide();
    panel.show(route.panel);
  }
  bar.panel(route.panel);
  titled();
}

function titled() {
  const firing = loudOf(alerts).length;
  const where = route.panes.map(({ job }) => job).join(", ");
  setText(heading, where ? `Logs of ${where}` : "All jobs");
  document.title = `${firing ? `(${firing}) ` : ""}${where ? `${where} · ` : ""}raytap`;
}

window.addEventListener("popstate", () => {
  route = parse(location.href);
  show(route.line);
});

// What is opened, and where: the job in the place of the current one.
function opened(job) {
  if (panes.isOpen(job)) return [job, ...route.panes.filter((pane) => !same(pane, job))];
  const current = panes.current();
  const at = current ? route.panes.findIndex((pane) => same(pane, current)) : -1;
  if (at < 0) return [job];
  // A line belongs to the first pane, so a job that is opened at one stands first.
  return [job, ...route.panes.filter((_, index) => index !== at)];
}

function openJob(job, { beside }) {
  if (beside && route.panes.length) {
    if (panes.isOpen(job)) return;
    if (route.panes.length === MAX_PANES) {
      toast(`${MAX_PANES} logs are open; close one first`);
      announce(`${MAX_PANES} logs are open; close one first`);
      return;
    }
    go({ panes: [...route.panes, job] });
  } else {
    go({ panes: beside || !panes.isOpen(job) ? inPlace(job) : route.panes });
  }
  const at = route.panes.findIndex((pane) => same(pane, job));
  panes.focus(at);
  announce(`${job} is open`);
}

function inPlace(job) {
  const current = panes.current();
  const at = current ? route.panes.findIndex((pane) => same(pane, current)) : -1;
  if (at < 0) return [job];
  return route.panes.map((pane, index) => (index === at ? job : pane));
}

function closePane(job) {
  go({ panes: route.panes.filter((pane) => !same(pane, job)) });
  if (!panes.focus(0)) list.focusFilter();
}

function lineChosen(job, line) {
  if (!route.panes.length || !same(route.panes[0], job)) return;
  route = { ...route, line, last: null };
  history.replaceState(null, "", format(route));
}

function togglePanel(name) {
  const wanted = route.panel === name ? "" : name;
  go({ panel: wanted }, { replace: true });
  if (wanted && route.panes.length) panel.show(wanted, { focus: true });
}

// What the gateway tells -------------------------------------------------------------------------

function offerPlots() {
  const clusters = [...new Set((jobs ?? []).map(({ cluster }) => cluster))].sort();
  plots.offer(route.panes, clusters);
  if (route.panes.length) plots.choose(panes.current() ?? route.panes[0]);
}

function toldJobs({ degraded, jobs: told }) {
  jobs = told;
  list.update(jobs);
  panes.jobs(jobs);
  home.update(jobs, loudOf(alerts).length, firingSentence(alerts));
  offerNewClusters();
  notices.degraded(degraded);
}

let offered = "";
function offerNewClusters() {
  const names = [...new Set(jobs.map(({ cluster }) => cluster))].sort().join(" ");
  if (names === offered) return;
  offered = names;
  offerPlots();
}

function toldAlerts(told) {
  const before = new Set(alerts.firing.map(({ fingerprint }) => fingerprint));
  const fresh = loudOf(told).filter(({ fingerprint }) => !before.has(fingerprint));
  alerts = told;
  alertList.told(alerts);
  panes.alerts(alerts);
  home.update(jobs, loudOf(alerts).length, firingSentence(alerts));
  list.alerts((job) => worstOf(alerts, job));
  bar.firing(loudOf(alerts).length, firingSentence(alerts), worstOf(alerts));
  if (fresh.length) announce(`Alert: ${fresh.map(({ rule, job }) => `${rule} ${job}`).join(", ")}`);
  titled();
}

function disconnected(error) {
  lostSince ||= Date.now();
  clearTimeout(banner);
  const tell = () => {
    bar.connection("disconnected");
    notices.disconnected({ since: lostSince, error });
  };
  const left = lostSince + BLIP_MS - Date.now();
  if (left > 0) banner = setTimeout(tell, left);
  else tell();
}

function connected() {
  clearTimeout(banner);
  if (lostSince) announce("Connected again");
  lostSince = 0;
  bar.connection("live");
  notices.disconnected(null);
  if (!session) whoIsIt().catch(() => {}); // asked again with the next connection
}

let events = null;
const notices = createNotices(document.getElementById("notices"), {
  retry() {
    events?.retry();
    panes.reconnect();
  },
});

function follow() {
  events = api.events({
    jobs: toldJobs,
    alerts: toldAlerts,
    open: connected,
    error: (error) => error.status !== 401 && disconnected(error),
  });
}

// Who is signed in -------------------------------------------------------------------------------

api.onTokenNeeded(async () => {
  await signIn({ again: session !== null || hasSignedIn });
  hasSignedIn = true; // who it is may be told only after the session is over again
  await whoIsIt().catch(() => {});
  panes.retry();
});

async function whoIsIt() {
  session = await api.session();
  bar.signedIn(session);
}

async function signOut() {
  try {
    await api.signOut();
  } catch (error) {
    toast(`Signing out did not work: ${error.message}`);
    return;
  }
  location.reload(); // nothing that was read stays in the page
}

function openSettings() {
  showSettings({ session, signOut });
}

// Keys -------------------------------------------------------------------------------------------

function step(by) {
  const from = panes.current();
  const job = list.next(from, by);
  if (!job) return false;
  openJob(job, { beside: false });
  return true;
}

function besideFocused() {
  toast("Choose a job in the list, and press b there");
  list.focusFilter();
}

bindKeys("Anywhere", [
  { keys: ["?"], what: "this list", run: () => showHelp() },
  { keys: ["s"], what: "find a job", run: () => list.focusFilter() },
  { keys: ["[", "]"], what: "the job before, the job after", run: (key) => step(key === "[" ? -1 : 1) },
  { keys: ["p"], what: "plots", run: () => togglePanel("plots") },
  { keys: ["a"], what: "alerts", run: () => togglePanel("alerts") },
  { keys: [","], what: "settings", run: openSettings },
  { keys: ["t"], what: "dark, light, or as the system", run: nextTheme },
  { keys: ["h"], what: "all jobs", run: () => go({ panes: [], panel: "" }) },
]);
bindKeys("List of jobs", [
  { keys: ["ArrowUp", "ArrowDown"], what: "from job to job" },
  { keys: ["Enter"], what: "open" },
  { keys: ["b"], what: "open beside (Shift+Enter, Shift+click)", run: besideFocused },
]);
bindKeys("Open logs", [
  { keys: ["/"], what: "search the log, or the list", run: () => (list.hasFocus() || !route.panes.length ? list.focusFilter() : panes.search()) },
  { keys: ["1", "2", "3", "4"], what: "go to the first, second, … log", run: (key) => panes.focus(Number(key) - 1) },
  { keys: ["x"], what: "close the log", run: () => (panes.current() && route.panes.length ? closePane(panes.current()) : false) },
]);

bindKeys("In a log", paneKeys);

function nextTheme() {
  const themes = ["auto", "dark", "light"];
  const theme = themes[(themes.indexOf(getSettings().theme) + 1) % themes.length];
  changeSettings({ theme });
  toast(theme === "auto" ? "Colours: as the system" : `Colours: ${theme}`);
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  if (!panes.focus(0)) main.focus();
});

// Start ------------------------------------------------------------------------------------------

setInterval(() => {
  list.tick();
  alertList.tick();
  notices.tick();
}, TICK_MS);
nameDownloads();
listenForKeys((event) => panes.press(event));
show(route.line);

follow();
