import type * as v from 'valibot';
import type { CachePolicy } from '../cache/cache.ts';
import type { LockRule } from '../lock/rule.ts';

/** How a resource of business data is declared. resources.ts holds the declarations. */
export interface Resource {
  name: string;
  table: string;
  /** Who may read: every app with the scope, or only the user whose id is in `userId`. */
  readers: 'app' | 'owner';
  /** Members in the order of the answer, with their columns. `id` is a string in the API. */
  columns: readonly Column[];
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
  /** Members that never change once the record is made, except by an operator. A list may be cut by them. */
  fixed?: readonly string[];
  lists?: readonly List[];
  /** Users write their own records, and server apps write records of users. undefined: only operators write. */
  writers?: Writers;
}

export interface Writers {
  /** How many records a user may have. */
  quota: number;
  /** The members that a call gives. Fixed ones are given at creation, the others also with each change. */
  members: Readonly<Record<string, v.GenericSchema>>;
  /** Where a server app may give more than a user. */
  byServer?: Readonly<Record<string, v.GenericSchema>>;
  /** Members that are the id of a record of another resource, which must exist at creation. */
  references?: Readonly<Record<string, string>>;
}

/** What a call gives for a record. */
export type Members = Readonly<Record<string, string | number | null>>;

export type Column = { member: string; column: string } & (
  | {
      /** `id`: of a record of another resource, a whole number in MySQL and a string in the API. */
      kind: 'text' | 'integer' | 'time' | 'id';
    }
  | {
      /**
       * An uploaded object: a write gives the id of an upload, the column has the key of the object, and an answer has
       * its address. `signed`: for some minutes; `public`: in a bucket that everybody may read.
       */
      kind: 'upload';
      serve: 'public' | 'signed';
    }
);

/**
 * A list of a resource: which records, in which order, in pages. It is declared beside its resource and checked at
 * start-up, so a caller chooses among lists and never writes a condition.
 */
export interface List {
  name: string;
  /** Equalities that a caller must give, in the order of the index. */
  filters?: readonly ListFilter[];
  /** Only the records of the caller: the user's id is a condition after the filters. */
  owner?: true;
  /** `member`: `id`, a whole number or a time. Records with equal values are in the order of their ids. */
  sort: { member: string; direction: 'ascending' | 'descending' };
  /** Allowed numbers of records on a page. The first is the default. */
  sizes: readonly number[];
  /** The members that items have besides `id`. Default: all. */
  members?: readonly string[];
  /** An index over (filters, owner, deleted_at, sort member). Statements name it, so that no other one is chosen. */
  index: string;
  /**
   * A fixed member of the filters, or `userId` of an owner's list. A write then ends the pages of its value alone.
   * Default: each write to the resource ends all pages of all its lists.
   */
  per?: string;
  /** Pages are large (8 KB and more): they are read in a request of their own, not by the admission script. */
  apart?: true;
  /** The first page of each known value is always kept in the cache, also before anyone reads it. */
  warm?: true;
}

/**
 * `values`: all values that exist, so an invented one is refused. `idOf`: the id of a record of another resource; its
 * existence filter answers for invented ones.
 */
export type ListFilter = { member: string; values: readonly (string | number)[] } | { member: string; idOf: string };
