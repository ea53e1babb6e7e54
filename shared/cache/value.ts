import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { lua } from '../script.ts';

/**
 * The forms of a value in a cache key. The first letter is the kind, so no stored value can look like a marker:
 *
 *     J1;<soft>;<delta>;<version>;<refresh>;<payload>   JSON          Z1;...  deflated and base64
 *     N1;<soft>;<delta>;<version>;<refresh>;<reason>    null marker: known not to exist (row A7 (null caching))
 *     L<request>[@<until>;F<version>]                   lease: this request loads the value
 *     T<writer>,<writer>                                tombstone: these writers are at work
 *     F<version>                                        floor: a fill from a replica needs at least this row version
 *
 * soft: Unix milliseconds of Redis' clock after which one reader refreshes the value. delta: milliseconds that the load
 * took (XFetch). version: of the row. refresh: `<request>@<until>` while one reader refreshes it. Lua reads the same
 * forms (scripts.ts).
 */
const CODEC = '1';
const COMPRESS_FROM_BYTES = 2_048;

export interface CachedValue {
  /** undefined: known not to exist. */
  value: unknown;
  /** Of a null marker: why the value does not exist, '' without a special reason. */
  reason: string;
  version: number;
}

interface ValueHead {
  /** The value is fresh for this long from the moment in which it is stored. */
  freshMs: number;
  loadMs: number;
  version: number;
}

/** Instead of soft it has the time from now on, with a plus. The script that stores the value turns it into soft. */
const head = ({ freshMs, loadMs, version }: ValueHead): string =>
  `${CODEC};+${Math.max(0, Math.round(freshMs))};${Math.max(1, Math.round(loadMs))};${version};;`;

export function encodeValue(value: unknown, meta: ValueHead): string {
  const json = JSON.stringify(value, tagSpecial);
  if (Buffer.byteLength(json) < COMPRESS_FROM_BYTES) return `J${head(meta)}${json}`;
  return `Z${head(meta)}${deflateRawSync(json, { level: 6 }).toString('base64')}`;
}

export const encodeNullMarker = (meta: ValueHead, reason = ''): string => `N${head(meta)}${reason}`;

/**
 * Lua. stored_form(value, now) returns a value that encodeValue() or encodeNullMarker() made, as it is stored: the time
 * after which it is stale is in Redis' clock.
 */
export const STORED_FORM = lua`
local function stored_form(value, now)
  local kind, freshMs, rest = string.match(value, '^(.1;)%+(%d+)(;.*)$')
  return kind and kind .. string.format('%d', now + freshMs) .. rest or value
end
`;

/** undefined: not a value of this codec (another version, or damaged). The caller treats it as a miss. */
export function decodeValue(stored: string): CachedValue | undefined {
  const match = /^([JZN])1;(\d+);(\d+);(\d+);[^;]*;/.exec(stored);
  if (!match) return undefined;
  const [start, kind, , , version] = match as unknown as [string, string, string, string, string];
  const payload = stored.slice(start.length);
  const common = { version: Number(version) };
  if (kind === 'N') return { ...common, value: undefined, reason: payload };
  try {
    const json = kind === 'J' ? payload : inflateRawSync(Buffer.from(payload, 'base64')).toString('utf8');
    // A reviver visits every member, which is slow. Most values have no tagged member.
    const value = json.includes('{"$') ? JSON.parse(json, untagSpecial) : JSON.parse(json);
    return { ...common, value, reason: '' };
  } catch {
    return undefined;
  }
}

/**
 * JSON has no BigInt and no bytes. They are stored as an object with one member of a special name. Data that looks like
 * such an object is stored under ESCAPED.
 */
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

/** Parses a read of kind `plain`: the value, and its remaining life in ms. undefined: the key is absent. */
export function decodePlain(read: string): { leftMs: number; value: string } | undefined {
  const end = read.indexOf(';');
  return end < 0 ? undefined : { leftMs: Number(read.slice(0, end)), value: read.slice(end + 1) };
}
