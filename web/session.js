// What the page remembers over a reload of its tab: the problems of the open conversation, with where to follow each or
// how it ended.

const name = "lemma.session";
const entriesMax = 30;

/** The remembered entries, oldest first; none where the browser keeps no storage. */
export function load() {
  try {
    const entries = JSON.parse(sessionStorage.getItem(name));
    return Array.isArray(entries) ? entries.filter((entry) => typeof entry?.problem === "string") : [];
  } catch {
    return [];
  }
}

/** Remembers the entries; the oldest are given up where they do not fit. */
export function save(entries) {
  for (let kept = entries.slice(-entriesMax); ; kept = kept.slice(1)) {
    try {
      sessionStorage.setItem(name, JSON.stringify(kept));
      return;
    } catch {
      if (kept.length === 0) return;
    }
  }
}
