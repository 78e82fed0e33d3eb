const excerptBytes = 500;
/** Read on, so that a secret that the excerpt's end would cut in two is still seen whole. */
const readBytes = 4096;
const patience = 3_000;

const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;
const dots = (text: string) => "•".repeat(text.length);

/** Hides the known secrets and whatever looks like one, without changing the text's length. */
export function redact(text: string, secrets: readonly string[]): string {
  let hidden = text;
  for (const secret of secrets)
    if (secret.length >= 4) hidden = hidden.replaceAll(secret, dots(secret));
  return (
    hidden
      .replace(
        /\b(bearer|basic|digest)(\s+)([^\s"',;<]+)/gi,
        (_all, scheme: string, space: string, value: string) => scheme + space + dots(value),
      )
      .replace(
        /([\w-]{0,40}(?:secret|token|passw(?:or)?d|pwd|api[_-]?key|authorization|credential|signature|cookie|session)[\w-]{0,40}["']?\s{0,5}[:=]\s{0,5})("(?:[^"\\]|\\.)*(?:"|$)|[^\s,;&}<]+)/gi,
        (_all, name: string, value: string) => name + dots(value),
      )
      .replace(/\/\/[^\s/@"]{1,200}@/g, dots)
      .replace(/eyJ[\w-]+(?:\.[\w-]*){1,4}/g, dots)
      // Long, with digits and letters mixed: a key or hash rather than a word.
      .replace(/[\w+/=-]{20,}/g, (run) =>
        /\d/.test(run) && /[a-z]/i.test(run) && !uuid.test(run) ? dots(run) : run,
      )
  );
}

/** The first 500 bytes of the text, redacted; it never ends in half of a secret or character. */
export function cut(text: string, secrets: readonly string[]): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(excerptBytes));
  return redact(text, secrets).slice(0, read).replace(/•{5,}/g, "••••");
}

/** What may be shown of a reply; null where it is not text. Never throws, and never waits long. */
export async function excerptOf(
  response: Response,
  secrets: readonly string[],
): Promise<string | null> {
  const type = response.headers.get("content-type") ?? "";
  const reader = response.body?.getReader();
  if (!reader) return null;
  if (!/^(?:text\/|application\/(?:[\w.-]+\+)?json\b)/i.test(type)) {
    reader.cancel().catch(() => undefined);
    return null;
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<{ done: true; value: undefined }>((resolve) => {
    timer = setTimeout(() => resolve({ done: true, value: undefined }), patience);
  });
  try {
    while (size < readBytes) {
      const { done, value } = await Promise.race([reader.read(), late]);
      if (done || !value) break;
      chunks.push(value);
      size += value.length;
    }
  } catch {
    // The status has come; a body that breaks off changes nothing.
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => undefined);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  const text = new TextDecoder().decode(bytes.subarray(0, readBytes));
  return text ? cut(text, secrets) : null;
}
