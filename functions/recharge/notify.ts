import * as v from 'valibot';
import { openEndpoint } from '../../shared/http/open-endpoint.ts';
import { receiveNotice } from '../../shared/recharge/notice.ts';

/** A provider's notice: a 2xx says that the ledger row is durable, anything else asks for the notice again. */
export const notify = openEndpoint(
  { route: 'POST /recharge/notify/{provider}', path: v.object({ provider: v.string() }) },
  async ({ path, query, headers, rawBody }) => receiveNotice(path.provider, { headers, query, body: rawBody }),
);
