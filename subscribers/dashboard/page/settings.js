// What a reader likes, kept in this browser: wrap, numbers, time, theme, the range of the plots.

const KEY = "raytap.settings";
const NARROW = matchMedia("(max-width: 760px)").matches; // a telephone has no room for a line
const DEFAULTS = { wrap: NARROW, numbers: true, time: false, theme: "auto", minutes: 15 };
const CHOICES = { theme: ["auto", "dark", "light"], minutes: [1, 5, 15] };

// What is stored may be from another version, or from a reader with a console.
function checked(stored) {
  const settings = { ...DEFAULTS };
  for (const [name, standard] of Object.entries(DEFAULTS)) {
    const value = stored?.[name];
    const good = CHOICES[name]?.includes(value) ?? typeof value === typeof standard;
    if (good) settings[name] = value;
  }
  return settings;
}

function load() {
  try {
    return checked(JSON.parse(localStorage.getItem(KEY)));
  } catch {
    return checked(null);
  }
}

let current = load();
const listeners = new Set();

export function getSettings() {
  return current;
}

export function changeSettings(changes) {
  current = checked({ ...current, ...changes });
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    // Storage is blocked: they hold until the page is closed.
  }
  applyTheme();
  for (const listener of listeners) listener(current);
}

// `listener(settings)` on each change, of another tab's too.
export function onSettings(listener) {
  listeners.add(listener);
}

export function applyTheme() {
  const root = document.documentElement;
  if (current.theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = current.theme;
}

window.addEventListener("storage", (event) => {
  if (event.key !== KEY) return;
  current = load();
  applyTheme();
  for (const listener of listeners) listener(current);
});
