import * as v from 'valibot';
import type { OwnResource } from '../../shared/data/own-records.ts';
import { GROUPS, LARGER_PAGE, PAGE_SIZE, USERS } from './list-model.ts';

const whole = v.pipe(v.number(), v.integer());
const members = { groupId: whole, rank: whole, mark: whole };
const byRank = { sort: { member: 'rank', direction: 'ascending' }, sizes: [PAGE_SIZE, LARGER_PAGE] } as const;

/** One list of each kind: not cut, cut by a filter, cut by the owner. */
export const resourceOf = (name: string, table: string): OwnResource => ({
  name,
  table,
  readers: 'app',
  columns: [
    { member: 'userId', column: 'user_id', kind: 'text' },
    { member: 'groupId', column: 'group_id', kind: 'integer' },
    { member: 'rank', column: 'position', kind: 'integer' },
    { member: 'mark', column: 'mark', kind: 'integer' },
  ],
  input: v.strictObject({ userId: v.string(), ...members }),
  cache: { freshSeconds: 300, graceSeconds: 300, nullSeconds: 300 },
  filtered: false,
  rules: [],
  apart: false,
  warmNewest: 0,
  fixed: ['userId', 'groupId'],
  writers: { quota: 100, members },
  lists: [
    { name: 'all', ...byRank, index: 'all_rows', warm: true },
    {
      name: 'of-group',
      filters: [{ member: 'groupId', values: GROUPS }],
      ...byRank,
      index: 'of_group',
      per: 'groupId',
      warm: true,
    },
    { name: 'mine', owner: true, ...byRank, index: 'of_user', per: 'userId' },
  ],
});

/** A table of such a resource. */
export const tableOf = (name: string): string => `CREATE TABLE ${name} (
  id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  made_by CHAR(64) NOT NULL DEFAULT '',
  user_id VARCHAR(32) NOT NULL,
  group_id INT NOT NULL,
  position INT NOT NULL,
  mark INT NOT NULL,
  version BIGINT UNSIGNED NOT NULL DEFAULT 1,
  deleted_at TIMESTAMP(3) NULL DEFAULT NULL,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  KEY all_rows (deleted_at, position),
  KEY of_group (group_id, deleted_at, position),
  KEY of_user (user_id, deleted_at, position),
  KEY updated (updated_at))`;

/** What a creation needs of the users. */
export const USER_TABLE = [
  'CREATE TABLE users (user_id VARCHAR(32) NOT NULL PRIMARY KEY, disabled_at TIMESTAMP NULL, erased_at TIMESTAMP NULL)',
  `INSERT INTO users (user_id) VALUES ${USERS.map((user) => `('${user}')`).join(', ')}`,
];
