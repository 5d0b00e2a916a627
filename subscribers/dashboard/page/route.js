// The address is the state: which jobs are open, at which line, and which panel is shown. Pure.
//
//   /                                   the overview
//   /jobs/prod/train-1#L1234            a job, at a line
//   /jobs/prod/train-1?beside=prod/b    two of them
//   …?panel=plots                       with the panel of plots (or alerts)

const PANELS = new Set(["plots", "alerts"]);
export const MAX_PANES = 4; // each holds a connection, and browsers open six to a host

// {panes: [{cluster, job}], line: number | null, last: number | null, panel: "" | "plots" | "alerts"};
// `last` is there for a range of lines, #L10-L20.
export function parse(url) {
  const { pathname, searchParams, hash } = new URL(url, "http://here");
  const panes = [];
  const add = (name) => {
    const [cluster, job, ...rest] = name.split("/");
    if (!cluster || !job || rest.length || panes.length === MAX_PANES) return;
    if (!panes.some((pane) => pane.cluster === cluster && pane.job === job)) panes.push({ cluster, job });
  };
  const main = /^\/jobs\/([^/]+\/[^/]+)$/.exec(pathname);
  if (main) {
    add(decoded(main[1]));
    searchParams.getAll("beside").forEach(add);
  }
  const lines = main && /^#L(\d{1,15})(?:-L?(\d{1,15}))?$/.exec(hash);
  const panel = searchParams.get("panel") ?? "";
  return {
    panes,
    line: lines ? Number(lines[1]) : null,
    last: lines?.[2] ? Number(lines[2]) : null,
    panel: PANELS.has(panel) ? panel : "",
  };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

const name = ({ cluster, job }) => `${encodeURIComponent(cluster)}/${encodeURIComponent(job)}`;

export function format({ panes = [], line = null, last = null, panel = "" }) {
  const [main, ...beside] = panes;
  const query = [
    ...(main ? beside.map((pane) => `beside=${name(pane)}`) : []),
    ...(panel ? [`panel=${panel}`] : []),
  ].join("&");
  const path = main ? `/jobs/${name(main)}` : "/";
  const lines = main && line !== null ? `#L${line}${last === null ? "" : `-L${last}`}` : "";
  return path + (query && `?${query}`) + lines;
}

export const same = (a, b) => a.cluster === b.cluster && a.job === b.job;
