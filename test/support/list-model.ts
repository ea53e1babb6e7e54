/** What the lists of the interleavings should answer: computed from the rows of the table, without SQL and cache. */
export interface ModelRow {
  id: string;
  userId: string;
  groupId: number;
  rank: number;
  /** Another one for each write, so that a state shows which writes it has. */
  mark: number;
  version: number;
}

export type State = readonly ModelRow[];

/** A list with the values of its conditions. */
export type View = { list: 'all' } | { list: 'of-group'; groupId: number } | { list: 'mine'; userId: string };

export const USERS = ['one', 'two'] as const;
export const GROUPS = [1, 2] as const;
export const VIEWS: readonly View[] = [
  { list: 'all' },
  ...GROUPS.map((groupId): View => ({ list: 'of-group', groupId })),
  ...USERS.map((userId): View => ({ list: 'mine', userId })),
];

export type Place = Pick<ModelRow, 'rank' | 'id'>;

export const PAGE_SIZE = 2;
export const LARGER_PAGE = 3;

export const isIn = (view: View, row: ModelRow): boolean =>
  view.list === 'all' || (view.list === 'of-group' ? row.groupId === view.groupId : row.userId === view.userId);

const order = (a: Place, b: Place): number => a.rank - b.rank || Number(a.id) - Number(b.id);

export function pageOf(state: State, view: View, size: number, after?: Place): { items: ModelRow[]; more: boolean } {
  const rest = state.filter((row) => isIn(view, row) && (!after || order(row, after) > 0)).sort(order);
  return { items: rest.slice(0, size), more: rest.length > size };
}

/** Whether the list differs between two states. */
export function differs(view: View, one: State, other: State): boolean {
  const rowsOf = (state: State): string => JSON.stringify(state.filter((row) => isIn(view, row)));
  return rowsOf(one) !== rowsOf(other);
}
