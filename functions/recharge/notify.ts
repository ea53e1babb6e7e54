import * as v from 'valibot';
import { PlainText } from '../../shared/http/answer.ts';
import { openEndpoint } from '../../shared/http/open-endpoint.ts';
import { answerRegistration, receiveNotification } from '../../shared/recharge/notification.ts';

/** A notification of a provider. 2xx: the ledger row is stored. After any other answer the provider sends it again. */
export const notify = openEndpoint(
  { route: 'POST /recharge/notify/{provider}', path: v.object({ provider: v.string() }) },
  async ({ path, query, headers, rawBody }) => {
    const answer = await receiveNotification(path.provider, { headers, query, body: rawBody });
    return typeof answer === 'string' ? new PlainText(answer) : answer;
  },
);

/** WeChat's console checks the address of its message push: it expects its own text in the answer. */
export const register = openEndpoint(
  { route: 'GET /recharge/notify/{provider}', path: v.object({ provider: v.string() }) },
  async ({ path, query }) => new PlainText(await answerRegistration(path.provider, query)),
);
