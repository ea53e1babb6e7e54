import * as v from 'valibot';
import { PlainText } from '../../shared/http/answer.ts';
import { openEndpoint } from '../../shared/http/open-endpoint.ts';
import { answerRegistration, receiveNotification } from '../../shared/recharge/notification.ts';

/** A provider's notification: a 2xx says that the ledger row is durable, anything else asks for the notification again. */
export const notify = openEndpoint(
  { route: 'POST /recharge/notify/{provider}', path: v.object({ provider: v.string() }) },
  async ({ path, query, headers, rawBody }) => receiveNotification(path.provider, { headers, query, body: rawBody }),
);

/** How WeChat's console checks the address of its message push: it wants its own text back. */
export const register = openEndpoint(
  { route: 'GET /recharge/notify/{provider}', path: v.object({ provider: v.string() }) },
  async ({ path, query }) => new PlainText(await answerRegistration(path.provider, query)),
);
