// Business data: records by id, lists in pages, and records that users write themselves.
import { ApiError } from './api-error.ts';
import type { Empty, Json, SameUser } from './call.ts';
import { segment } from './path-segment.ts';
import { type KeyHolder, underKey } from './storage.ts';

export type Item<T> = T & { id: string };
/** A record of a resource that users write. A change names the version that it changes. */
export type Own<T> = Item<T> & { version: number };

export interface ListPage<T> {
  items: T[];
  /** The cursor of the following page; without it this page is the last one. It is opaque. */
  next?: string;
}

/**
 * The filters of the list by their names, how many items a page has (one of the sizes that the list allows), and the
 * cursor after which it begins.
 */
export interface ListOptions {
  limit?: number;
  after?: string;
  [filter: string]: string | number | undefined;
}

/** All its pages are of the user who read the first one: for another user it throws USER_CHANGED. */
export interface List<T> extends AsyncIterable<T> {
  /** The page after this cursor. Without one, or with '': the first page, or the one after `after` of the options. */
  page(after?: string): Promise<ListPage<T>>;
}

/** For server apps with the scope `data:write`: whose record or list it is. */
type OwnerOption = {
  user?: string | undefined;
};

export function recordCalls(json: Json, empty: Empty, holdKey: KeyHolder) {
  const pathOf = (resource: string, id?: string | number) =>
    `/data/${segment(resource)}${id === undefined ? '' : `/${segment(id)}`}`;

  /** null: there is no such record, or it belongs to another user. */
  const find = <T>(resource: string, id: string | number, query?: OwnerOption, own?: object): Promise<T | null> =>
    json<T>('GET', pathOf(resource, id), { query, ...own }).catch((error: unknown) => {
      if (error instanceof ApiError && error.code === 'NOT_FOUND') return null;
      throw error;
    });

  const post = <T>(resource: string, body: string, own: object) =>
    json<Own<T>>('POST', pathOf(resource), { body, ...own });

  /** `user`: for whom it is created; never another one who has logged in meanwhile. */
  async function createOnce<T>(resource: string, body: string, named?: string, user = named): Promise<Own<T>> {
    const held = await holdKey(`create ${resource}`, body, user);
    const created = await underKey(held, (own) => post<T>(resource, body, own));
    held.settle();
    if (!held.resumed) return created;
    // The record of an earlier try, whose answer was lost, may have been deleted since.
    const found = await find(resource, created.id, { user: named }, { as: held }).catch(() => created);
    return found ? created : createOnce(resource, body, named, held.userId);
  }

  return {
    readOne: find as <T>(resource: string, id: string | number, owner?: OwnerOption) => Promise<T | null>,
    /** 1 to 100 ids; null for ids without a record. */
    readMany: async <T>(resource: string, ids: readonly (string | number)[]): Promise<Record<string, T | null>> =>
      (await json<{ items: Record<string, T | null> }>('GET', pathOf(resource), { query: { ids: ids.join(',') } }))
        .items,

    /** Asks nothing before its first page is read. `for await` reads all items, and each page only when it needs it. */
    list<T>(resource: string, name: string, options: ListOptions = {}): List<Item<T>> {
      const path = pathOf(resource);
      const as: SameUser = {};
      const page = (cursor?: string) => {
        const after = cursor || options.after || undefined;
        return json<ListPage<Item<T>>>('GET', path, { query: { ...options, after, list: name }, as });
      };
      return { page, [Symbol.asyncIterator]: () => itemsOf(page) };
    },

    /**
     * Creates a record of the user, once for each input until the outcome is known: a repetition after a lost answer, a
     * restart or a second tap before the answer is the same record. An idempotency key of the caller is used and not stored.
     */
    create<T = object>(
      resource: string,
      members: object,
      { idempotencyKey }: { idempotencyKey?: string } = {},
    ): Promise<Own<T>> {
      const body = JSON.stringify(members);
      if (idempotencyKey) return post<T>(resource, body, { idempotencyKey });
      return createOnce<T>(resource, body, (members as { userId?: string }).userId);
    },

    /** The members that change; the record keeps those that need not be given at creation. It may be repeated as it is: a change that took effect is a success again. */
    update: <T = object>(
      resource: string,
      id: string | number,
      version: number,
      members: object,
      query: OwnerOption = {},
    ): Promise<Own<T>> =>
      json<Own<T>>('PUT', pathOf(resource, id), { body: members, version, query, repeatable: true }),

    /** With a version only if it is still that one. It may be repeated as it is within a day. */
    remove: (
      resource: string,
      id: string | number,
      { version, user }: OwnerOption & { version?: number } = {},
    ): Promise<void> => empty('DELETE', pathOf(resource, id), { version, query: { user }, repeatable: true }),
  };
}

/** Not a generator: a platform that cannot read its syntax could not load the client. */
function itemsOf<T>(page: (after?: string) => Promise<ListPage<T>>): AsyncIterator<T> {
  let items: T[] = [];
  let after: string | undefined;
  let isLast = false;
  let at = 0;
  return {
    async next() {
      while (at === items.length && !isLast) {
        const read = await page(after);
        items = read.items;
        // A server that repeats a cursor would never end.
        isLast = !read.next || read.next === after;
        after = read.next;
        at = 0;
      }
      return at < items.length ? { value: items[at++] as T } : { value: undefined, done: true };
    },
  };
}
