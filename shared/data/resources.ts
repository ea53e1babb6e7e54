import * as v from 'valibot';
import type { CachePolicy } from '../cache/cache.ts';
import { AppError } from '../errors.ts';
import { checkRules, type LockRule, type LockTarget } from '../lock/rule.ts';
import { checkLists } from './list.ts';
import type { List, Resource } from './resource.ts';
import { SERVICE_CATEGORIES } from './service-categories.ts';

/**
 * Business data that is read through the cache. Each resource is declared only here. Reads, lists, writes, cache-warm,
 * the sweep and the existence filter all use these declarations.
 */
const text = (max: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(max));
const fen = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(4_294_967_295));
const time = v.pipe(v.string(), v.isoTimestamp());
const userId = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,32}$/));
const recordId = v.pipe(v.string(), v.regex(/^[1-9]\d{0,15}$/, 'expected the id of a record'));
/** May be empty, and have several lines. */
const freeText = (max: number) => v.pipe(v.string(), v.maxLength(max), v.regex(/^(?:[^\p{Cc}\p{Cs}]|[\n\t])*$/u));
const isDay = (text: string): boolean =>
  !Number.isNaN(Date.parse(text)) && new Date(text).toISOString().startsWith(text);
const day = v.pipe(v.string(), v.isoDate(), v.check(isDay, 'expected a day of the calendar'));
/** A write of the owner gives an upload; an operator gives the key of an object that is kept already. */
const uploadId = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{22}$/, 'expected the id of an upload'));
const keptKey = v.pipe(v.string(), v.regex(/^kept\/[\w-]+\/[\w-]+\/[\w-]{22}$/, 'expected the key of a kept object'));
const stars = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(5));
const BOOKING_STATES = ['requested', 'confirmed', 'done', 'cancelled'] as const;

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

/** The records of the caller, the newest first. */
const newestOfOwner = (index: string): List => ({
  name: 'mine',
  owner: true,
  sort: { member: 'createdAt', direction: 'descending' },
  sizes: [20, 50],
  index,
  per: 'userId',
});

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
    lists: [
      {
        name: 'newest',
        sort: { member: 'publishedAt', direction: 'descending' },
        sizes: [20, 50],
        members: ['title', 'publishedAt'],
        index: 'notices_newest',
        warm: true,
      },
    ],
  },
  {
    name: 'service',
    table: 'services',
    readers: 'app',
    columns: [
      { member: 'name', column: 'name', kind: 'text' },
      { member: 'description', column: 'description', kind: 'text' },
      { member: 'priceFen', column: 'price_fen', kind: 'integer' },
      { member: 'category', column: 'category', kind: 'text' },
    ],
    input: v.strictObject({
      name: text(200),
      description: text(20_000),
      priceFen: fen,
      category: v.optional(v.picklist(SERVICE_CATEGORIES), 'other'),
    }),
    cache: policy,
    filtered: true,
    rules: [misses],
    apart: false,
    warmNewest: 50,
    lists: [
      {
        name: 'cheapest',
        sort: { member: 'priceFen', direction: 'ascending' },
        sizes: [20, 50],
        members: ['name', 'priceFen', 'category'],
        index: 'services_cheapest',
        warm: true,
      },
      {
        name: 'by-category',
        filters: [{ member: 'category', values: SERVICE_CATEGORIES }],
        sort: { member: 'priceFen', direction: 'ascending' },
        sizes: [20, 50],
        members: ['name', 'priceFen', 'category'],
        index: 'services_by_category',
        warm: true,
      },
    ],
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
    fixed: ['userId'],
    lists: [
      {
        name: 'mine',
        owner: true,
        sort: { member: 'expiresAt', direction: 'ascending' },
        sizes: [20, 50],
        index: 'vouchers_mine',
        per: 'userId',
      },
    ],
  },
  {
    name: 'booking',
    table: 'bookings',
    readers: 'owner',
    columns: [
      { member: 'userId', column: 'user_id', kind: 'text' },
      { member: 'serviceId', column: 'service_id', kind: 'id' },
      { member: 'day', column: 'day', kind: 'text' },
      { member: 'note', column: 'note', kind: 'text' },
      { member: 'status', column: 'status', kind: 'text' },
      { member: 'createdAt', column: 'created_at', kind: 'time' },
    ],
    input: v.strictObject({
      userId,
      serviceId: recordId,
      day,
      note: freeText(500),
      status: v.picklist(BOOKING_STATES),
      createdAt: time,
    }),
    cache: policy,
    filtered: true,
    rules: [misses],
    apart: false,
    warmNewest: 0,
    fixed: ['userId', 'serviceId'],
    writers: {
      quota: 100,
      members: {
        serviceId: recordId,
        day,
        note: v.optional(freeText(500), ''),
        status: v.optional(v.picklist(['requested', 'cancelled']), 'requested'),
      },
      byServer: { status: v.optional(v.picklist(BOOKING_STATES), 'requested') },
      references: { serviceId: 'service' },
    },
    lists: [
      newestOfOwner('bookings_mine'),
      {
        name: 'mine-by-status',
        filters: [{ member: 'status', values: BOOKING_STATES }],
        owner: true,
        sort: { member: 'createdAt', direction: 'descending' },
        sizes: [20, 50],
        index: 'bookings_mine_by_status',
        per: 'userId',
      },
    ],
  },
  {
    name: 'review',
    table: 'reviews',
    readers: 'app',
    columns: [
      { member: 'userId', column: 'user_id', kind: 'text' },
      { member: 'serviceId', column: 'service_id', kind: 'id' },
      { member: 'stars', column: 'stars', kind: 'integer' },
      { member: 'words', column: 'words', kind: 'text' },
      { member: 'createdAt', column: 'created_at', kind: 'time' },
    ],
    input: v.strictObject({ userId, serviceId: recordId, stars, words: freeText(1_000), createdAt: time }),
    cache: policy,
    filtered: true,
    rules: [misses],
    apart: false,
    warmNewest: 0,
    fixed: ['userId', 'serviceId'],
    writers: {
      quota: 200,
      members: { serviceId: recordId, stars, words: v.optional(freeText(1_000), '') },
      references: { serviceId: 'service' },
    },
    lists: [
      {
        name: 'of-service',
        filters: [{ member: 'serviceId', idOf: 'service' }],
        sort: { member: 'createdAt', direction: 'descending' },
        sizes: [20, 50],
        index: 'reviews_of_service',
        per: 'serviceId',
      },
      newestOfOwner('reviews_mine'),
    ],
  },
  {
    name: 'photo',
    table: 'photos',
    readers: 'owner',
    columns: [
      { member: 'userId', column: 'user_id', kind: 'text' },
      { member: 'picture', column: 'picture', kind: 'upload', serve: 'signed' },
      { member: 'caption', column: 'caption', kind: 'text' },
      { member: 'createdAt', column: 'created_at', kind: 'time' },
    ],
    input: v.strictObject({ userId, picture: keptKey, caption: freeText(200), createdAt: time }),
    cache: policy,
    filtered: true,
    rules: [misses],
    apart: false,
    warmNewest: 0,
    fixed: ['userId'],
    writers: {
      quota: 50,
      members: { picture: uploadId, caption: v.optional(freeText(200), '') },
    },
    lists: [newestOfOwner('photos_mine')],
  },
];

/** The target of the resource's own lock rules, for admission. */
export const lockTargetOf = ({ name, rules }: Resource): LockTarget => ({ name: `data:${name}`, rules });
for (const { name, rules } of declared.map(lockTargetOf)) checkRules(name, rules);

const byName = new Map(declared.map((resource) => [resource.name, resource]));
for (const resource of declared) checkLists(resource, byName);
export const allResources = (): readonly Resource[] => declared;

/** Throws UNKNOWN_RESOURCE. */
export function getResource(name: string): Resource {
  const resource = byName.get(name);
  if (!resource) throw new AppError('UNKNOWN_RESOURCE');
  return resource;
}
