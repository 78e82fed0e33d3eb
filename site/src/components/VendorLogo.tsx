type Mark = { color: string; legibleOn: "both" | "light" | "dark"; path?: string };
type Props = { id: string; name: string; mark: Mark | null; size?: "small" | "medium" | "large" };

function initials(name: string) {
  const words = name.split(/[^\p{L}\d]+/u).filter(Boolean);
  const letters =
    words.length > 1 ? words.slice(0, 2).map((word) => word[0]) : [words[0]?.slice(0, 2)];
  return letters.join("").toUpperCase();
}

const tones = 8;
const toneOf = (text: string) =>
  [...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9973, 7) % tones;

/** The brand's glyph (inlined where its path is at hand, else from `/logos/`), or initials. */
export function VendorLogo({ id, name, mark, size = "medium" }: Props) {
  if (!mark)
    return (
      <span class={`logo logo-${size} tone-${toneOf(id)}`} aria-hidden="true">
        {initials(name)}
      </span>
    );
  return (
    <span class={`logo logo-${size}`} aria-hidden="true">
      <svg viewBox="0 0 24 24" fill={mark.color} class={`mark-${mark.legibleOn}`}>
        {mark.path ? <path d={mark.path} /> : <use href={`/logos/${id}.svg#mark`} />}
      </svg>
    </span>
  );
}
