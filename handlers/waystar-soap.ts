/** CAQH CORE Connectivity 2.2.0, envelope standard B: one X12 transaction in a SOAP 1.2 message. */
const wss = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const passwordText =
  "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordText";

const escapeXml = (text: string) =>
  text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);

export const soapType = 'application/soap+xml; charset=utf-8; action="RealTimeTransaction"';

export function realTimeRequest(request: {
  user: string;
  password: string;
  payloadType: string;
  payloadId: string;
  sender: string;
  receiver: string;
  now: Date;
  payload: string;
}): string {
  const element = (name: string, text: string) => `<${name}>${escapeXml(text)}</${name}>`;
  const { user, password, payload, now } = request;
  return [
    '<soapenv:Envelope xmlns:soapenv="http://www.w3.org/2003/05/soap-envelope">',
    `<soapenv:Header><wsse:Security soapenv:mustUnderstand="true" xmlns:wsse="${wss}">`,
    `<wsse:UsernameToken>${element("wsse:Username", user)}`,
    `<wsse:Password Type="${passwordText}">${escapeXml(password)}</wsse:Password>`,
    "</wsse:UsernameToken></wsse:Security></soapenv:Header><soapenv:Body>",
    '<core:COREEnvelopeRealTimeRequest xmlns:core="http://www.caqh.org/SOAP/WSDL/CORERule2.2.0.xsd">',
    element("PayloadType", request.payloadType),
    element("ProcessingMode", "RealTime"),
    element("PayloadID", request.payloadId),
    element("TimeStamp", `${now.toISOString().slice(0, 19)}Z`),
    element("SenderID", request.sender),
    element("ReceiverID", request.receiver),
    element("CORERuleVersion", "2.2.0"),
    element("Payload", payload),
    "</core:COREEnvelopeRealTimeRequest></soapenv:Body></soapenv:Envelope>",
  ].join("");
}

const named: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
};

function decode(written: string): string {
  const [, data] = /^\s*<!\[CDATA\[([^]*)\]\]>\s*$/.exec(written) ?? [];
  if (data !== undefined) return data;
  return written.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,4}));/gi, (whole, ...groups) => {
    const [decimal, hex, name] = groups as (string | undefined)[];
    if (name !== undefined) return named[name] ?? whole;
    const point = decimal === undefined ? Number.parseInt(hex ?? "", 16) : Number(decimal);
    return point <= 0x10_ff_ff ? String.fromCodePoint(point) : whole;
  });
}

/** The text of the first element of that name, whatever its prefix. */
export function textOf(xml: string, name: string): string | undefined {
  const opened = new RegExp(`<(?:[\\w-]{1,40}:)?${name}(?:\\s[^<>]*)?>`).exec(xml);
  if (!opened) return undefined;
  const start = opened.index + opened[0].length;
  const rest = xml.slice(start);
  const end = rest.search(new RegExp(`</(?:[\\w-]{1,40}:)?${name}\\s*>`));
  return end < 0 ? undefined : decode(rest.slice(0, end));
}
