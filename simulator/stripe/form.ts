export type FormValue = string | FormValue[] | { [key: string]: FormValue };
export type FormTree = { [key: string]: FormValue };

export class BadForm extends Error {
  override name = "BadForm";
}

type Node = { text?: string; items?: Node[]; keys?: Map<string, Node> };

function decode(text: string) {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new BadForm(`Invalid percent-encoding: ${text}`);
  }
}

const isIndex = (segment: string) => segment === "" || /^\d+$/.test(segment);

function child(node: Node, segment: string, name: string): Node {
  if (node.text !== undefined) throw new BadForm(`Invalid hash: ${name}`);
  if (isIndex(segment)) {
    if (node.keys) throw new BadForm(`Invalid array: ${name}`);
    node.items ??= [];
    const index = segment === "" ? node.items.length : Number(segment);
    if (index > node.items.length) throw new BadForm(`Invalid array: ${name} skips an index`);
    return (node.items[index] ??= {});
  }
  if (node.items) throw new BadForm(`Invalid hash: ${name}`);
  node.keys ??= new Map();
  const found = node.keys.get(segment) ?? {};
  node.keys.set(segment, found);
  return found;
}

function value(node: Node): FormValue {
  if (node.items) return node.items.map(value);
  if (node.keys) return tree(node.keys);
  return node.text ?? "";
}

const tree = (keys: Map<string, Node>): FormTree =>
  Object.fromEntries([...keys].map(([key, node]) => [key, value(node)]));

/** `a[b][0][c]=d` as Stripe writes it. Throws `BadForm` for what is not well-formed. */
export function parseBracketForm(text: string): FormTree {
  const root: Node = { keys: new Map() };
  for (const pair of text.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    const [, head, rest] = /^([^[\]]+)((?:\[[^[\]]*\])*)$/.exec(name) ?? [];
    if (head === undefined || rest === undefined)
      throw new BadForm(`Invalid parameter name: ${name}`);
    const segments = [...rest.matchAll(/\[([^\]]*)\]/g)].map(([, segment]) => segment ?? "");
    let node = child(root, `${head}`, name);
    for (const segment of segments) node = child(node, segment, name);
    if (node.items || node.keys) throw new BadForm(`Invalid string: ${name}`);
    if (node.text !== undefined) throw new BadForm(`Parameter given twice: ${name}`);
    node.text = decode(equals < 0 ? "" : pair.slice(equals + 1));
  }
  return tree(root.keys ?? new Map());
}
