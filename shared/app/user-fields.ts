import type { CacheRead } from '../admission/request.ts';
import { type CachePolicy, type ReadAnswer, settleReads } from '../cache/cache.ts';
import { query } from '../db.ts';
import { type FieldError, invalidInput } from '../errors.ts';
import { userFieldsKey } from '../swept-keys.ts';

/**
 * Extra user fields (row B4 (current user)): an app registers a schema and stores fields of its users under it. Other
 * apps do not see them. The schema is a small part of JSON Schema, without nesting.
 */
interface FieldRule {
  type: 'string' | 'integer' | 'number' | 'boolean' | 'array';
  enum?: Array<string | number | boolean>;
  /** For a string, or for each string of an array. */
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  /** For an array; the items are strings. */
  items?: { type: 'string'; maxLength?: number };
  maxItems?: number;
}
export interface UserFieldsSchema {
  type: 'object';
  properties: Record<string, FieldRule>;
  required?: string[];
}

/** Names that already have a meaning in an answer or in JavaScript. */
const RESERVED = new Set(
  `userId account profile fields roles role scopes scope password token session sessionId sessionEndsAt appId app user
   __proto__ prototype constructor toString toLocaleString valueOf hasOwnProperty isPrototypeOf propertyIsEnumerable`.split(
    /\s+/,
  ),
);
export const isReservedName = (name: string): boolean => RESERVED.has(name) || name.startsWith('__');

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,39}$/;
const MAX_FIELDS = 40;
const MAX_FIELDS_BYTES = 4_096;
const TYPES = ['string', 'integer', 'number', 'boolean', 'array'];
const MEMBERS: Record<FieldRule['type'], string[]> = {
  string: ['type', 'enum', 'maxLength', 'title', 'description'],
  integer: ['type', 'enum', 'minimum', 'maximum', 'title', 'description'],
  number: ['type', 'enum', 'minimum', 'maximum', 'title', 'description'],
  boolean: ['type', 'title', 'description'],
  array: ['type', 'items', 'maxItems', 'title', 'description'],
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

/** Checks a schema. Its `required` applies to each write of `fields`. Throws INVALID_INPUT. */
export function checkUserFieldsSchema(schema: unknown): UserFieldsSchema {
  const errors: FieldError[] = [];
  const refuse = (path: string, message: string): void => void errors.push({ path, message });
  if (!isObject(schema) || schema.type !== 'object' || !isObject(schema.properties)) {
    throw invalidInput({ path: '', message: 'expected { "type": "object", "properties": { ... } }' });
  }
  for (const name of Object.keys(schema)) {
    const known = ['type', 'properties', 'required', 'additionalProperties', '$schema', 'title', 'description'];
    if (!known.includes(name)) refuse(name, 'not supported');
  }
  if (schema.additionalProperties !== undefined && schema.additionalProperties !== false) {
    refuse('additionalProperties', 'only false is supported');
  }
  const names = Object.keys(schema.properties);
  if (names.length === 0 || names.length > MAX_FIELDS) refuse('properties', `expected 1 to ${MAX_FIELDS} fields`);
  for (const name of names) {
    const path = `properties.${name}`;
    if (isReservedName(name)) refuse(path, 'the name is reserved');
    else if (!NAME.test(name)) refuse(path, 'expected a letter, then letters, digits or _');
    for (const problem of problemsOfRule(schema.properties[name])) refuse(path, problem);
  }
  const required = schema.required ?? [];
  if (!Array.isArray(required) || required.some((name) => !names.includes(name))) {
    refuse('required', 'expected names of properties');
  }
  if (errors.length > 0) throw invalidInput(...errors);
  return schema as unknown as UserFieldsSchema;
}

function problemsOfRule(rule: unknown): string[] {
  if (!isObject(rule) || !TYPES.includes(rule.type as string)) return [`expected a type: ${TYPES.join(', ')}`];
  const { type, items } = rule as unknown as FieldRule;
  const problems = Object.keys(rule)
    .filter((name) => !MEMBERS[type].includes(name))
    .map((name) => `${name} is not supported for ${type}`);
  for (const name of ['maxLength', 'maxItems']) {
    if (rule[name] !== undefined && !isCount(rule[name])) problems.push(`${name} must be a whole number`);
  }
  for (const name of ['minimum', 'maximum']) {
    if (rule[name] !== undefined && !Number.isFinite(rule[name])) problems.push(`${name} must be a number`);
  }
  if (rule.enum !== undefined) {
    const scalar = type === 'string' ? 'string' : 'number';
    const fits = Array.isArray(rule.enum) && rule.enum.length > 0 && rule.enum.every((one) => typeof one === scalar);
    if (!fits) problems.push(`enum must list values of type ${type}`);
  }
  if (type === 'array' && (!isObject(items) || items.type !== 'string')) problems.push('items must be strings');
  else if (isObject(items) && items.maxLength !== undefined && !isCount(items.maxLength)) {
    problems.push('items.maxLength must be a whole number');
  }
  return problems;
}

/** Checks a user's fields against the schema. Throws INVALID_INPUT; the messages do not repeat values. */
export function checkUserFields(schema: UserFieldsSchema | null, fields: Record<string, unknown>) {
  const errors: FieldError[] = [];
  for (const [name, value] of Object.entries(fields)) {
    const rule = schema && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    const problem = rule ? problemOfValue(rule, value) : 'unknown member';
    if (problem) errors.push({ path: `fields.${name}`, message: problem });
  }
  for (const name of schema?.required ?? []) {
    if (!Object.hasOwn(fields, name)) errors.push({ path: `fields.${name}`, message: 'is required' });
  }
  if (Buffer.byteLength(JSON.stringify(fields)) > MAX_FIELDS_BYTES) {
    errors.push({ path: 'fields', message: `expected at most ${MAX_FIELDS_BYTES} bytes` });
  }
  if (errors.length > 0) throw invalidInput(...errors.slice(0, 20));
}

function problemOfValue(rule: FieldRule, value: unknown): string | undefined {
  switch (rule.type) {
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'expected true or false';
    case 'integer':
    case 'number': {
      const fits = rule.type === 'integer' ? Number.isSafeInteger(value) : Number.isFinite(value);
      if (!fits) return `expected ${rule.type}`;
      const number = value as number;
      if (rule.minimum !== undefined && number < rule.minimum) return `expected at least ${rule.minimum}`;
      if (rule.maximum !== undefined && number > rule.maximum) return `expected at most ${rule.maximum}`;
      return rule.enum && !rule.enum.includes(number) ? 'expected one of the values of enum' : undefined;
    }
    case 'string':
      if (typeof value !== 'string') return 'expected string';
      if (value.length > (rule.maxLength ?? MAX_FIELDS_BYTES)) return `expected at most ${rule.maxLength} characters`;
      return rule.enum && !rule.enum.includes(value) ? 'expected one of the values of enum' : undefined;
    case 'array': {
      const longest = rule.items?.maxLength ?? MAX_FIELDS_BYTES;
      if (!Array.isArray(value) || value.some((one) => typeof one !== 'string' || one.length > longest)) {
        return 'expected a list of strings';
      }
      return value.length > (rule.maxItems ?? 100) ? `expected at most ${rule.maxItems ?? 100} items` : undefined;
    }
  }
}

/** The fields of a user that the schema names; undefined: the app registered no schema. */
export function publicFields(schema: UserFieldsSchema | null, fields: Readonly<Record<string, unknown>>) {
  if (!schema) return undefined;
  return Object.fromEntries(Object.entries(fields).filter(([name]) => Object.hasOwn(schema.properties, name)));
}

const POLICY: CachePolicy = { freshSeconds: 300, graceSeconds: 300, nullSeconds: 60 };

/** Declare it in `reads` of an endpoint; settleSchema() then returns the schema. */
export const schemaRead = (appId: string): CacheRead => ({ key: userFieldsKey(appId) });

/** null: the app registered no schema. */
export async function settleSchema(leaseId: string, appId: string, reads: readonly ReadAnswer[]) {
  const [found] = await settleReads<UserFieldsSchema>(leaseId, [userFieldsKey(appId)], reads, POLICY, async () => {
    const [row] = await query('SELECT user_fields, version FROM apps WHERE app_id = ?', [appId]);
    return [{ value: schemaOf(row?.user_fields), version: Number(row?.version ?? 0) }];
  });
  return found?.value ?? null;
}

/** Reads a JSON column; null: no schema. */
export function schemaOf(column: unknown): UserFieldsSchema | null {
  return (typeof column === 'string' ? JSON.parse(column) : (column ?? null)) as UserFieldsSchema | null;
}
