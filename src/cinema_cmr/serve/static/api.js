// Requests to this server.

async function answer(path, options = {}) {
  const response = await fetch(`/api/${path}`, { credentials: "same-origin", ...options });
  if (response.ok) return response;
  let detail = `${response.status}`;
  try { detail = (await response.json()).detail; } catch { /* no document */ }
  throw new Error(response.status === 401 ? "The session has ended: open the address that `cinema serve` printed." : detail);
}

const body = (method, value) => ({
  method,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value ?? {}),
});

const json = async (path, options) => (await answer(path, options)).json();
const bytes = async (path) => (await answer(path)).arrayBuffer();

export const api = {
  studies: () => json("studies"),
  study: (id) => json(`studies/${id}`),
  numbers: (id) => json(`studies/${id}/numbers`),
  segments: (id) => json(`studies/${id}/segments`),
  opened: (id) => answer(`studies/${id}/opened`, { method: "POST" }),
  image: async (id, view, index) => new Int16Array(await bytes(`studies/${id}/images/${view}/${index}`)),
  labels: async (id, view, index, own) =>
    new Uint8Array(await bytes(`studies/${id}/labels/${view}/${index}${own ? "?own=true" : ""}`)),
  change: (id, changes) => json(`studies/${id}/changes`, body("POST", changes)),
  signOff: (id, signed, seen) => json(`studies/${id}/sign-off`, body("PUT", { signed_off: signed, seen })),
  results: (id) => json(`studies/${id}/results`, { method: "POST" }),
  compare: (first, second) => json("comparisons", body("POST", { first, second: second ?? null })),
  agreement: () => json("agreement"),
  exportCases: () => json("exports", { method: "POST" }),
  jobs: () => json("jobs"),
  newJob: (name) => json("jobs", body("POST", { name })),
  send: (job, name, file) =>
    answer(`jobs/${job}/files/${name.split("/").map(encodeURIComponent).join("/")}`, { method: "PUT", body: file }),
  submit: (job, chooseViews) => json(`jobs/${job}/submit`, body("POST", { choose_views: chooseViews })),
  series: (job) => json(`jobs/${job}/series`),
  chooseViews: (job, series) => json(`jobs/${job}/views`, body("PUT", { series })),
  cancel: (job) => answer(`jobs/${job}`, { method: "DELETE" }),
};
