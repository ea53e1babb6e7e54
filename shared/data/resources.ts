import * as v from 'valibot';
import type { CachePolicy } from '../cache/cache.ts';
import { AppError } from '../errors.ts';
import { checkRules, type LockRule, type LockTarget } from '../lock/rule.ts';

/**
 * Business data that is read through the cache. Each resource is declared only here. Reads, writes, cache-warm, the
 * sweep and the existence filter all use this list.
 */
export interface Resource {
  name: string;
  table: string;
  /** Who may read: every app with the scope, or only the user whose id is in `userId`. */
  readers: 'app' | 'owner';
  /** Members in the order of the answer, with their columns. `id` is a string in the API. */
  columns: Array<{ member: string; column: string; kind: 'text' | 'integer' | 'time' }>;
  /** The input of `data put`: all members except `id`. */
  input: v.GenericSchema<Record<string, unknown>, Record<string, unknown>>;
  cache: CachePolicy;
  /** Whether an existence filter protects it against floods of random ids. */
  filtered: boolean;
  rules: readonly LockRule[];
  /** Values are large (8 KB and more): they are read in a request of their own, not by the admission script. */
  apart: boolean;
  /** This many of the newest records are always kept in the cache, also before anyone reads them. */
  warmNewest: number;
}

const text = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));
const fen = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(4_294_967_295));
const time = v.pipe(v.string(), v.isoTimestamp());
const userId = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,32}$/));

/** Random ids cause misses. They are limited for each app and address. */
const misses: LockRule = {
  name: 'misses',
  by: ['app', 'ip'],
  limit: 1_200,
  windowSeconds: 60,
  count: 'miss',
  onError: 'open',
};
const policy: CachePolicy = { freshSeconds: 300, graceSeconds: 900, nullSeconds: 30 };

const declared: Resource[] = [
  {
    name: 'notice',
    table: 'notices',
    readers: 'app',
    columns: [
      { member: 'title', column: 'title', kind: 'text' },
      { member: 'body', column: 'body', kind: 'text' },
      { member: 'publishedAt', column: 'published_at', kind: 'time' },
    ],
    input: v.strictObject({ title: text(200), body: text(20_000), publishedAt: time }),
    cache: policy,
    filtered: true,
    rules: [misses],
    apart: true,
    warmNewest: 20,
  },
  {
    name: 'service',
    table: 'services',
    readers: 'app',
    columns: [
      { member: 'name', column: 'name', kind: 'text' },
      { member: 'description', column: 'description', kind: 'text' },
      { member: 'priceFen', column: 'price_fen', kind: 'integer' },
    ],
    input: v.strictObject({ name: text(200), description: text(20_000), priceFen: fen }),
    cache: policy,
    filtered: true,
    rules: [misses],
    apart: false,
    warmNewest: 50,
  },
  {
    name: 'voucher',
    table: 'vouchers',
    readers: 'owner',
    columns: [
      { member: 'userId', column: 'user_id', kind: 'text' },
      { member: 'title', column: 'title', kind: 'text' },
      { member: 'amountFen', column: 'amount_fen', kind: 'integer' },
      { member: 'expiresAt', column: 'expires_at', kind: 'time' },
    ],
    input: v.strictObject({ userId, title: text(200), amountFen: fen, expiresAt: time }),
    cache: { freshSeconds: 60, graceSeconds: 300, nullSeconds: 30 },
    filtered: true,
    rules: [misses],
    apart: false,
    warmNewest: 0,
  },
];

/** The target of the resource's own lock rules, for admission. */
export const lockTargetOf = ({ name, rules }: Resource): LockTarget => ({ name: `data:${name}`, rules });
for (const { name, rules } of declared.map(lockTargetOf)) checkRules(name, rules);

const byName = new Map(declared.map((resource) => [resource.name, resource]));
export const allResources = (): readonly Resource[] => declared;

/** Throws UNKNOWN_RESOURCE. */
export function getResource(name: string): Resource {
  const resource = byName.get(name);
  if (!resource) throw new AppError('UNKNOWN_RESOURCE');
  return resource;
}
