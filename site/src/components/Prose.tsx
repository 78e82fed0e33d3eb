const parts = /(`[^`]+`|\[[^\]]+\]\(\/[^\s)]*\)|https:\/\/[^\s)]+[^\s).,;])/;
const ownPage = /^\[(.+)\]\((\/.*)\)$/;

/** A vendor file's text: backticks mark code, addresses become links, `[title](/path/)` leads to a page of ours. */
export const Prose = ({ text }: { text: string }) => (
  <>
    {text.split(parts).map((part, at) => {
      if (at % 2 === 0) return part;
      if (part.startsWith("`")) return <code key={at}>{part.slice(1, -1)}</code>;
      const [, title, path] = ownPage.exec(part) ?? [];
      return (
        <a key={at} href={path ?? part} target="_blank" rel="noreferrer">
          {title ?? part.replace(/^https:\/\/(www\.)?/, "")}
        </a>
      );
    })}
  </>
);
