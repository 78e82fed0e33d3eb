/** Without case, accents and the forms of width, so that `épic` finds Epic. */
export const fold = (text: string) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** What a person typed or a card says, word by word: `change-healthcare` is two. */
export const wordsOf = (text: string): string[] => fold(text).match(/[\p{L}\d]+/gu) ?? [];
