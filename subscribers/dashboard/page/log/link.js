// Addresses of lines: /jobs/{cluster}/{job}#L12 and #L12-L20. Pure.

export function lineHash({ first, next }) {
  return next - first > 1 ? `#L${first}-L${next - 1}` : `#L${first}`;
}

// {first, next} of a hash, or null.
export function parseLineHash(hash) {
  const found = /^#?L(\d{1,15})(?:-L?(\d{1,15}))?$/.exec(hash ?? "");
  if (!found) return null;
  const [a, b] = [Number(found[1]), Number(found[2] ?? found[1])];
  return { first: Math.min(a, b), next: Math.max(a, b) + 1 };
}

export const jobPath = (cluster, job) =>
  `/jobs/${encodeURIComponent(cluster)}/${encodeURIComponent(job)}`;

// What to open a log at: the line given, or the range that the address names with it; or null.
export function wantedLines(line, path, { pathname, hash }) {
  const named = pathname === path ? parseLineHash(hash) : null;
  if (named && (line === null || line === named.first)) return named;
  return line === null ? null : { first: line, next: line + 1 };
}
