"""Where a line is seen in the dashboard. Pure."""

from __future__ import annotations

from urllib.parse import quote


class Links:
    """Makes URLs of the dashboard at `base`; empty ones where there is none."""

    def __init__(self, base: str = "") -> None:
        self._base = base.rstrip("/")

    def __call__(self, cluster: str, job: str, line: int | None = None) -> str:
        """The URL of a line, of a job, or of the dashboard itself."""
        if not self._base:
            return ""
        if not job:
            return f"{self._base}/"
        at = "" if line is None else f"#L{line}"
        return f"{self._base}/jobs/{quote(cluster, safe='')}/{quote(job, safe='')}{at}"
