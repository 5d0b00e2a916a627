// What a request came to that brought no answer: the gateway's own words, or that it is away.

export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.name = "ApiError";
    this.status = status; // 0: no answer at all
  }
}

// The error of a response that is not ok.
export async function errorOf(response) {
  let message = `${response.status} ${response.statusText}`.trim();
  try {
    message = (await response.json()).error.message;
  } catch {
    // A proxy's own page: its status is all there is to say.
  }
  const error = new ApiError(response.status, message);
  const after = Number(response.headers.get("Retry-After"));
  if (after > 0) error.retryAfter = after;
  return error;
}

// The error of a request that failed below HTTP.
export function unreachable(problem) {
  const timedOut = problem.name === "TimeoutError";
  return new ApiError(0, timedOut ? "the gateway did not answer in time" : "the gateway does not answer");
}
