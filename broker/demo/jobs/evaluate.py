"""A sample job for `raytap demo`: Ray tasks "evaluate" something; one of them fails and is retried.

It runs on the cluster by itself and needs Ray alone. Every secret in it is a well-known fake.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import ray

SHARDS = 4 * int(sys.argv[1] if len(sys.argv) > 1 else 1)
FORMAT = "\033[2m%(asctime)s\033[0m %(levelname)s %(message)s"
LEVELS = {
    logging.DEBUG: "\033[36mDEBUG\033[0m",
    logging.WARNING: "\033[33mWARN\033[0m",
    logging.ERROR: "\033[31mERROR\033[0m",
}
LANGUAGES = {
    "de": "Wie spät ist es?",
    "ja": "今、何時ですか？",
    "ar": "كم الساعة الآن؟",
    "hi": "अभी क्या समय हुआ है?",
}


def score(shard: int, attempt: int) -> float:
    time.sleep(1.0)
    if shard % 15 == 2 and attempt == 1:
        raise ValueError(f"shard {shard}: row 4711 has 7 columns, expected 8")
    print(f"shard {shard}: 2,500 rows scored")
    return 0.9 + shard % 4 / 100


def main() -> None:
    logging.basicConfig(level=logging.DEBUG, format=FORMAT, datefmt="%H:%M:%S", stream=sys.stderr)
    for level, name in LEVELS.items():
        logging.addLevelName(level, name)
    for noisy in ("asyncio", "filelock", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    log = logging.getLogger("evaluate")
    ray.init(logging_level=logging.WARNING)
    log.debug("loading judge from https://eval:s3cr3t-pa55@models.example.com/judge")
    for language, question in LANGUAGES.items():
        print(f"{language}: {question}", flush=True)
        time.sleep(0.4)
    remote: Any = ray.remote(num_cpus=0, max_retries=0)(score)
    scores = {}
    for shard in range(SHARDS):
        for attempt in (1, 2):
            try:
                scores[shard] = ray.get(remote.remote(shard, attempt))
                break
            except ValueError:
                log.exception("shard %d failed, attempt %d", shard, attempt)
        log.info("shard %d: score=%.2f", shard, scores[shard])
    log.warning("%d of %d shards needed a second attempt", len(range(2, SHARDS, 15)), SHARDS)
    sys.stderr.write("report written in DOS format:\r\nmean;0.915\r\n")
    sys.stderr.flush()
    time.sleep(1.5)  # until Ray has forwarded what the tasks printed
    # Its last line has no end, as many logs' have not.
    print(f"mean score {sum(scores.values()) / len(scores):.3f} 👍", end="", flush=True)


if __name__ == "__main__":
    main()
