import { createHash } from 'node:crypto';
import { stage } from './config.ts';
import { AppError } from './errors.ts';

/**
 * The key registry (row A6 (key rules)). Only this file makes Redis keys. A key is
 * `mpc:<stage>:<area>:<family>:v<version>:<part>[:<part>]`. Parts are typed and encoded. Each family declares its
 * longest lifetime, and every key has a TTL.
 */
declare const keyBrand: unique symbol;
/** A key that was made here. redis.ts accepts no other keys. */
export type Key = string & { readonly [keyBrand]: true };

type Area = 'cache' | 'lock' | 'replay' | 'session' | 'plugin' | 'hot' | 'filter';

/** How a value becomes one part of a key. `text` is hashed, so that no text from a caller appears in a key. */
type PartKind = 'id' | 'text' | 'number';

const APP = 'mpc';
const MAX_KEY_BYTES = 200;
const ID = /^[A-Za-z0-9_.~-]{1,80}$/;

interface Family {
  area: Area;
  name: string;
  version: number;
  parts: PartKind[];
  /** The longest lifetime of a key of this family. */
  ttlSeconds: number;
}

const families = new Map<string, Family>();

const hashes = new Map<string, string>();
const MAX_HASHES = 500;

/** `~` and 128 bits of SHA-256. Hashes of short texts are remembered: every call asks for the same route names. */
function hashedPart(text: string): string {
  const known = hashes.get(text);
  if (known) return known;
  const hash = `~${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
  if (hashes.size >= MAX_HASHES) hashes.clear();
  if (text.length <= 100) hashes.set(text, hash);
  return hash;
}

function encodePart(kind: PartKind, value: string | number): string {
  if (kind === 'number') {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new AppError('INVALID_KEY');
    return String(value);
  }
  if (typeof value !== 'string') throw new AppError('INVALID_KEY');
  if (kind === 'text') return hashedPart(value);
  if (!ID.test(value)) throw new AppError('INVALID_KEY');
  return value;
}

interface KeyFamily<Parts extends Array<string | number>> {
  (...parts: Parts): Key;
  family: Family;
}

/**
 * Registers a key family and returns the function that makes its keys. That function throws AppError INVALID_KEY for a
 * part that breaks the rules, before any engine is asked.
 */
export function keyFamily<Parts extends Array<string | number>>(family: Family): KeyFamily<Parts> {
  const name = `${family.area}:${family.name}:v${family.version}`;
  if (families.has(name)) throw new Error(`key family ${name} is registered twice`);
  families.set(name, family);
  const make = (...parts: Parts): Key => {
    if (parts.length !== family.parts.length) throw new AppError('INVALID_KEY');
    const encoded = family.parts.map((kind, index) => encodePart(kind, parts[index] as string | number));
    const key = [APP, stage(), name, ...encoded].join(':');
    if (key.length > MAX_KEY_BYTES) throw new AppError('INVALID_KEY');
    return key as Key;
  };
  return Object.assign(make, { family });
}

const KEY = /^[a-z]+:[A-Za-z0-9_-]+:([a-z]+):([a-z-]+):(v\d+)(?::[A-Za-z0-9_.~-]+)+$/;

/** redis.ts checks every key with it. Throws AppError INVALID_KEY for a key that this file did not make. */
export function checkKey(key: string): asserts key is Key {
  const match = KEY.exec(key);
  if (!match || key.length > MAX_KEY_BYTES || !families.has(`${match[1]}:${match[2]}:${match[3]}`)) {
    throw new AppError('INVALID_KEY');
  }
}

/** All registered families, for the documents and the tests. */
export const listFamilies = (): Family[] => [...families.values()];
