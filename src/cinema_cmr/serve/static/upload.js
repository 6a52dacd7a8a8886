// Files that were dropped or chosen, sent as one study.

import { api } from "./api.js";

const AT_ONCE = 4;

// Files of a drop with their paths; folders are walked.
export async function droppedFiles(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files];
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

async function walk(entry, found) {
  if (entry.name.startsWith(".") || entry.name === "__MACOSX") return;
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    found.push(Object.assign(file, { path: entry.fullPath.replace(/^\//, "") }));
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const inner = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!inner.length) return;
    for (const one of inner) await walk(one, found);
  }
}

const pathOf = (file) => file.path || file.webkitRelativePath || file.name;
const isZip = (file) => file.name.toLowerCase().endsWith(".zip");

export class Uploads {
  constructor(changed) {
    this.changed = changed;
    this.busy = 0;
  }

  // Each zip is a study; all other files together are one.
  async send(files, chooseViews) {
    const sound = files.filter((file) => !pathOf(file).split("/").some((part) => part.startsWith(".")));
    const others = sound.filter((file) => !isZip(file));
    const studies = [...sound.filter(isZip).map((file) => [file]), ...(others.length ? [others] : [])];
    for (const study of studies) await this.sendStudy(study, chooseViews);
  }

  async sendStudy(files, chooseViews) {
    this.busy += 1;
    try {
      const job = await api.newJob(pathOf(files[0]).split("/")[0]);
      const waiting = [...files];
      const worker = async () => {
        for (let file = waiting.pop(); file; file = waiting.pop()) await api.send(job.id, pathOf(file), file);
      };
      try {
        await Promise.all(Array.from({ length: AT_ONCE }, worker));
        await api.submit(job.id, chooseViews);
      } catch (error) {
        await api.cancel(job.id).catch(() => {});
        throw error;
      }
    } finally {
      this.busy -= 1;
      this.changed();
    }
  }
}
