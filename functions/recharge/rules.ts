import * as v from 'valibot';
import { invalidInput } from '../../shared/errors.ts';

/** Schemas that the routes of this function share. */

const limit = v.pipe(
  v.optional(v.pipe(v.string(), v.regex(/^(100|[1-9]\d?)$/, 'expected 1 to 100')), '20'),
  v.transform(Number),
);

/** `after` is the `next` of the previous page; `readPlace` reads the place in the list from it. */
export const pageQuery = <Place>(readPlace: (cursor: string) => Place | null) =>
  v.strictObject({
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
