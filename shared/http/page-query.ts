import * as v from 'valibot';
import { invalidInput } from '../errors.ts';

const limit = v.pipe(
  v.optional(v.pipe(v.string(), v.regex(/^(100|[1-9]\d?)$/, 'expected 1 to 100')), '20'),
  v.transform(Number),
);

/** Members of the query of a paged list. `after` is the `next` of the page before; `readPlace` reads the place from it. */
export const pageMembers = <Place>(readPlace: (cursor: string) => Place | null) => ({
  after: v.optional(
    v.pipe(
      v.string(),
      v.transform((cursor) => {
        const place = readPlace(cursor);
        if (place === null)
          throw invalidInput({ path: 'query.after', message: 'expected the value of next of an earlier page' });
        return place;
      }),
    ),
  ),
  limit,
});
