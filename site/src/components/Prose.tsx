const parts = /(`[^`]+`|https:\/\/[^\s)]+[^\s).,;])/;

/** A vendor file's text: backticks mark code, addresses become links. */
export const Prose = ({ text }: { text: string }) => (
  <>
    {text.split(parts).map((part, at) => {
      if (at % 2 === 0) return part;
      if (part.startsWith("`")) return <code key={at}>{part.slice(1, -1)}</code>;
      return (
        <a key={at} href={part} target="_blank" rel="noreferrer">
          {part.replace(/^https:\/\/(www\.)?/, "")}
        </a>
      );
    })}
  </>
);
