/** Networks of the IANA special-purpose registries, and two that clouds use for their own metadata. */
const reservedV4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["168.63.129.16", 32],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.31.196.0", 24],
  ["192.52.193.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["192.175.48.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];

function parseV4(address: string): number | undefined {
  const parts = address.split(".");
  if (parts.length !== 4) return undefined;
  let bits = 0;
  for (const part of parts) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bits = bits * 256 + Number(part);
  }
  return bits;
}

/** The eight 16-bit groups, in hexadecimal without leading zeros. */
function parseV6(address: string): readonly string[] | undefined {
  const canonical = URL.parse(`https://[${address}]/`)?.hostname.slice(1, -1);
  if (canonical === undefined) return undefined;
  const [head = "", tail] = canonical.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right];
}

/** Whoever has one address of IPv6 has all that share its first 64 bits: they are named by those. */
export const networkOf = (address: string): string =>
  address.includes(".") ? address : (parseV6(address)?.slice(0, 4).join(":") ?? address);

/** True only for an address that is routed on the public internet; anything unreadable is false. */
export function isPublicAddress(address: string): boolean {
  const v4 = parseV4(address);
  if (v4 !== undefined)
    return !reservedV4.some(([network, length]) => {
      const size = 2 ** (32 - length);
      return Math.floor(v4 / size) === Math.floor((parseV4(network) ?? 0) / size);
    });
  if (!address.includes(":")) return false;
  const v6 = parseV6(address);
  if (!v6) return false;
  // These two decide every range that is looked at.
  const [first = 0, second = 0] = v6.map((group) => Number.parseInt(group, 16));
  // Global unicast is 2000::/3: mapped, NAT64, unique-local, link-local and multicast lie outside.
  if (first < 0x2000 || first > 0x3fff) return false;
  if (first === 0x2001 && second < 0x0200) return false; // protocol assignments, Teredo, ORCHID
  if (first === 0x2001 && second === 0x0db8) return false;
  if (first === 0x2002) return false; // 6to4 carries an IPv4 address
  return !(first === 0x3fff && second < 0x1000); // documentation, RFC 9637
}
