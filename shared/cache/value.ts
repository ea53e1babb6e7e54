import { deflateRawSync, inflateRawSync } from 'node:zlib';

/**
 * What a cache key holds. The first letter is the kind, so that no stored value can be taken for a marker:
 *
 *     J1;<soft>;<delta>;<version>;<refresh>;<payload>   JSON          Z1;...  deflated and base64
 *     N1;<soft>;<delta>;<version>;<refresh>;<reason>    known absent (row A7)
 *     L<request>[;F<version>]                           a lease: this request loads the value
 *     T<writer>,<writer>                                a tombstone: these writers are at work
 *     F<version>                                        a floor: a fill needs a row at least this new
 *
 * soft: Unix milliseconds after which one reader refreshes it. delta: milliseconds the load took (XFetch). version:
 * of the row. refresh: `<request>@<until>` while one reader refreshes. Lua reads the same form (cache-scripts.ts).
 */
const CODEC = '1';
const COMPRESS_FROM_BYTES = 2_048;

export interface CachedValue {
  /** undefined: known absent. */
  value: unknown;
  /** Of a null marker: why it is absent, '' when simply not there. */
  reason: string;
  softAt: number;
  version: number;
}

interface ValueHead {
  softAt: number;
  loadMs: number;
  version: number;
}

const head = ({ softAt, loadMs, version }: ValueHead): string =>
  `${CODEC};${Math.round(softAt)};${Math.max(1, Math.round(loadMs))};${version};;`;

export function encodeValue(value: unknown, meta: ValueHead): string {
  const json = JSON.stringify(value, tagSpecial);
  if (Buffer.byteLength(json) < COMPRESS_FROM_BYTES) return `J${head(meta)}${json}`;
  return `Z${head(meta)}${deflateRawSync(json, { level: 6 }).toString('base64')}`;
}

export const encodeAbsent = (meta: ValueHead, reason = ''): string => `N${head(meta)}${reason}`;

/** undefined: not a value of this codec (another version, corrupt): the caller treats it as a miss. */
export function decodeValue(stored: string): CachedValue | undefined {
  const match = /^([JZN])1;(\d+);(\d+);(\d+);[^;]*;/.exec(stored);
  if (!match) return undefined;
  const [start, kind, soft, , version] = match as unknown as [string, string, string, string, string];
  const payload = stored.slice(start.length);
  const common = { softAt: Number(soft), version: Number(version) };
  if (kind === 'N') return { ...common, value: undefined, reason: payload };
  try {
    const json = kind === 'J' ? payload : inflateRawSync(Buffer.from(payload, 'base64')).toString('utf8');
    // A reviver visits every member; most values have nothing for it to do.
    const value = json.includes('{"$') ? JSON.parse(json, untagSpecial) : JSON.parse(json);
    return { ...common, value, reason: '' };
  } catch {
    return undefined;
  }
}

/** JSON has no BigInt and no bytes: they travel as a one-member object with a name that no data of ours has. */
const BIGINT = '$bigint';
const BYTES = '$bytes';
const ESCAPED = '$escaped';

function tagSpecial(this: unknown, key: string, value: unknown): unknown {
  const raw = (this as Record<string, unknown>)[key];
  if (typeof raw === 'bigint') return { [BIGINT]: raw.toString() };
  if (raw instanceof Uint8Array) return { [BYTES]: Buffer.from(raw).toString('base64') };
  if (isTagged(value)) return { [ESCAPED]: Object.entries(value) };
  return value;
}

function isTagged(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const names = Object.keys(value);
  return names.length === 1 && [BIGINT, BYTES, ESCAPED].includes(names[0] as string);
}

function untagSpecial(_key: string, value: unknown): unknown {
  if (!isTagged(value)) return value;
  if (BIGINT in value) return BigInt(value[BIGINT] as string);
  if (BYTES in value) return new Uint8Array(Buffer.from(value[BYTES] as string, 'base64'));
  return Object.fromEntries(value[ESCAPED] as Array<[string, unknown]>);
}

/** A plain read of admission: the value as stored and how long it still lives. undefined: the key is absent. */
export function decodePlain(read: string): { leftMs: number; value: string } | undefined {
  const end = read.indexOf(';');
  return end < 0 ? undefined : { leftMs: Number(read.slice(0, end)), value: read.slice(end + 1) };
}
