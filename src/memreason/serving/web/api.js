// What the page asks its server. Errors come as `Problem`, in words that can be shown.

const PLACE = "memreason-token";

/** An error in words; `status` is 0 where the server could not be reached. */
export class Problem extends Error {
  constructor(message, status = 0, code = null) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Keep the token of an address …#token=…, and give the fragment without it. */
export function takeToken(fragment) {
  const found = /^#?token=([\w-]+)&?/.exec(fragment);
  if (!found) return null;
  localStorage.setItem(PLACE, found[1]);
  return fragment.slice(found[0].length);
}

/** The JSON answer to GET /web/api/PATH; `parameters` that are empty are left out. */
export async function get(path, parameters = {}, signal) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(given).toString();
  return (await request(query ? `${path}?${query}` : path, { signal })).json();
}

/** The JSON answer to POST /web/api/PATH. */
export async function post(path, body, signal) {
  return (await request(path, posted(body, signal))).json();
}

/** Call `onEvent` with each event of the stream that answers POST /web/api/PATH. */
export async function stream(path, body, onEvent, signal) {
  const response = await request(path, posted(body, signal));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) {
        if (event === "data: [DONE]") return;
        const said = JSON.parse(event.slice("data: ".length));
        if (said.error) throw new Problem(said.error.message, 0, said.error.code);
        onEvent(said);
      }
    }
  } catch (error) {
    throw error instanceof Problem || error.name === "AbortError" ? error : lost();
  }
}

function posted(body, signal) {
  return { method: "POST", body: JSON.stringify(body), signal, headers: { "Content-Type": "application/json" } };
}

async function request(path, options) {
  const token = localStorage.getItem(PLACE);
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  let response;
  try {
    response = await fetch(`web/api/${path}`, { ...options, headers });
  } catch (error) {
    throw error.name === "AbortError" ? error : lost();
  }
  if (response.ok) return response;
  let said = null;
  try {
    said = (await response.json()).error;
  } catch {
    // Something between the page and the server has answered.
  }
  throw new Problem(said?.message ?? `the server answered with status ${response.status}`, response.status, said?.code);
}

function lost() {
  return new Problem("the server does not answer; is `memreason web` still running?");
}
