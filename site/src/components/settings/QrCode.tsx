import { generate } from "lean-qr";
import { useMemo } from "preact/hooks";

/** Cells of white around it, which cameras need. */
const margin = 2;

/** Drawn in the page, so that the secret goes nowhere else. */
export function QrCode({ text, label }: { text: string; label: string }) {
  const { path, size } = useMemo(() => {
    const code = generate(text);
    let drawn = "";
    for (let y = 0; y < code.size; y++)
      for (let x = 0; x < code.size; x++)
        if (code.get(x, y)) drawn += `M${x + margin} ${y + margin}h1v1h-1z`;
    return { path: drawn, size: code.size + 2 * margin };
  }, [text]);
  return (
    <div class="qr">
      <svg
        viewBox={`0 0 ${size} ${size}`}
        role="img"
        aria-label={label}
        shape-rendering="crispEdges"
      >
        <path d={path} fill="currentColor" />
      </svg>
    </div>
  );
}
