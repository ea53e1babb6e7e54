import type { Detail, MoneyKind } from '../../shared/recharge/money-movements.ts';
import { type MoneyRequest, needsSecondPerson, requestMovement } from '../../shared/recharge/money-request.ts';
import type { Given, Printed } from '../command.ts';

interface Movement {
  kind: MoneyKind;
  /** Fen or units. */
  amount: number;
  subject: string;
  detail: Detail;
}

export const WAITS =
  'It is above the limit: it will be stored as a request, and moves nothing before another person approves it.';

export const waitsForSecondPerson = ({ kind, amount }: Pick<Movement, 'kind' | 'amount'>): boolean =>
  needsSecondPerson(kind, amount);

/** Stores the movement as a request. The exit code is 0: what was asked for is done, and the answer says what it is. */
export async function storeRequest(given: Given, { kind, subject, detail }: Movement): Promise<Printed> {
  const request = await requestMovement({ kind, subject, detail, actor: given.actor });
  const command = approveCommand(request);
  return {
    json: { requestId: request.requestId, kind, subject, status: request.status, approve: command },
    text: [
      `Nothing was moved: this is above the limit, and waits for a second person as request ${request.requestId}.`,
      `The second person runs: ${command}`,
    ],
  };
}

export const approveCommand = ({ requestId }: MoneyRequest): string =>
  `npm run -s portal -- recharge approve --request ${requestId} --actor NAME`;
