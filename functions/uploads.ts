import * as v from 'valibot';
import { AppError } from '../shared/errors.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { serve } from '../shared/http/lambda.ts';
import { perUser } from '../shared/http/write-inputs.ts';
import { CONTENT_TYPES, issueUpload, MAX_BYTES } from '../shared/uploads/issue.ts';
import { objectStore, type Store } from '../shared/uploads/settings.ts';

/** Throws NOT_FOUND. */
function storeOfUploads(): Store {
  const store = objectStore();
  if (!store) throw new AppError('NOT_FOUND', 'This deployment takes no uploads.');
  return store;
}

const issue = endpoint(
  {
    route: 'POST /uploads',
    auth: 'user',
    scope: 'data:own',
    v2Only: true,
    success: 'created',
    body: v.strictObject({
      contentType: v.picklist(CONTENT_TYPES, `expected one of ${CONTENT_TYPES.join(', ')}`),
      bytes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_BYTES, `expected at most ${MAX_BYTES}`)),
      sha256: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'expected 64 hex digits in lower case'))),
    }),
    lookup: () => ({ store: storeOfUploads() }),
    rules: [
      perUser('uploads', 30),
      // What a user uploads, uses and replaces stays in the store for minutes: so it has a limit by day.
      { ...perUser('uploads-a-day', 300), windowSeconds: 86_400 },
    ],
  },
  ({ store, body, app, user }) => issueUpload(store, { appId: app.appId, userId: user.userId }, body, Date.now()),
);

export const handler = serve(issue);
