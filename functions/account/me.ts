import * as v from 'valibot';
import { publicUser } from '../../shared/account/account.ts';
import { changeUser } from '../../shared/account/change.ts';
import { fieldsSchema, profileSchema } from '../../shared/account/profile.ts';
import { checkUserFields, schemaRead, settleSchema } from '../../shared/app/user-fields.ts';
import { endpoint } from '../../shared/http/endpoint.ts';

export const readMe = endpoint(
  { route: 'GET /me', auth: 'user', scope: 'login', reads: (_, { app }) => [schemaRead(app.appId)] },
  async ({ app, reads, leaseId, user }) => publicUser(user, await settleSchema(leaseId, app.appId, reads)),
);

export const changeMe = endpoint(
  {
    route: 'PUT /me',
    auth: 'user',
    scope: 'login',
    body: v.pipe(
      v.strictObject({ profile: v.optional(profileSchema), fields: v.optional(fieldsSchema) }),
      v.check(({ profile, fields }) => profile !== undefined || fields !== undefined, 'expected profile or fields'),
    ),
    reads: (_, { app }) => [schemaRead(app.appId)],
  },
  async ({ app, body: { profile, fields }, reads, leaseId, user }) => {
    const schema = await settleSchema(leaseId, app.appId, reads);
    if (fields) checkUserFields(schema, fields);
    await changeUser(app.appId, user, { ...(profile && { profile }), ...(fields && { fields }) });
    return publicUser({ ...user, profile: profile ?? user.profile, fields: fields ?? user.fields }, schema);
  },
);
