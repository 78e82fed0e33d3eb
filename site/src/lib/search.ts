import { fold, wordsOf } from "../../../handlers/words.ts";

export type Searchable = {
  id: string;
  /** Lines; the first is the name. */
  words: string;
  areas: string[];
  categories: string[];
};
export type Indexed = Searchable & { name: string; names: string[]; others: string[] };
export type Query = { q: string; tab: string; category: string };

export const index = (entries: Searchable[]): Indexed[] =>
  entries.map((entry) => {
    const [name = "", ...others] = entry.words.split("\n");
    return { ...entry, name: fold(name), names: wordsOf(name), others: wordsOf(others.join(" ")) };
  });

/** 0 unless every word typed begins some word of the entry, or is inside its name. */
function score(entry: Indexed, typed: string[]) {
  let total = 0;
  for (const word of typed) {
    const starts = (each: string) => each.startsWith(word);
    if (entry.name.startsWith(word)) total += 8;
    else if (entry.names.some(starts)) total += 6;
    else if (entry.name.includes(word)) total += 4;
    else if (entry.others.some(starts)) total += 1;
    else return 0;
  }
  return total;
}

/** What is found, best first (else in the given order), and how many there are under each tab. */
export function search(entries: Indexed[], tabs: string[], { q, tab, category }: Query) {
  const typed = wordsOf(q);
  const found = entries
    .filter((entry) => !category || entry.categories.includes(category))
    .map((entry) => ({ entry, points: typed.length ? score(entry, typed) : 1 }))
    .filter(({ points }) => points > 0)
    .toSorted((a, b) => b.points - a.points)
    .map(({ entry }) => entry);
  const under = (name: string) =>
    name === "All" ? found : found.filter((entry) => entry.areas.includes(name));
  return {
    found: under(tab),
    counts: Object.fromEntries(tabs.map((name) => [name, under(name).length])),
  };
}
