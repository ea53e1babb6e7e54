import type { SettledFinding } from '../../shared/recharge/books/settled.ts';
import {
  approveRequest,
  knownRequest,
  type MoneyRequest,
  rejectRequest,
  waitingRequests,
} from '../../shared/recharge/money-request.ts';
import type { Refund } from '../../shared/recharge/refund-record.ts';
import { type Given, type Printed, required, type Verb } from '../command.ts';
import { table } from '../table.ts';
import { printRefund } from './recharge-refund-answer.ts';
import { approveCommand } from './recharge-second-person.ts';
import { printSettled } from './recharge-settle.ts';

const REQUEST = required('ID', 'the requestId');

const detailText = ({ detail }: MoneyRequest): string =>
  Object.entries(detail)
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');

async function list({ display }: Given): Promise<Printed> {
  const requests = await waitingRequests();
  const rows = requests.map((request) => [
    request.requestId,
    display.time(request.askedAt),
    request.askedBy,
    request.kind,
    request.status,
    detailText(request),
  ]);
  const none = 'No request waits for a second person.';
  return {
    json: { requests: requests.map((request) => ({ ...request, approve: approveCommand(request) })) },
    text: rows.length === 0 ? [none] : table(['request', 'at', 'asked by', 'what', 'status', ''], rows),
  };
}

async function whatApproveMoves(given: Given): Promise<string[]> {
  const request = await knownRequest(given.text('request'));
  const { kind, askedBy, status } = request;
  return status === 'approved'
    ? [`${kind}, asked by ${askedBy}: ${detailText(request)}. It was executed before: nothing more is moved.`]
    : [`${kind}, asked by ${askedBy}: ${detailText(request)}. It will be executed.`];
}

async function approve(given: Given): Promise<Printed> {
  const { request, result } = await approveRequest(given.text('request'), given.actor);
  const { requestId, kind, status } = request;
  const shown =
    kind === 'adjust' || kind === 'grant'
      ? { json: result, text: [`The wallet has ${String(result.balance)} units now.`], problemFound: false }
      : kind === 'settle'
        ? { ...printSettled(given, result as unknown as SettledFinding), problemFound: false }
        : await printRefund(given, result as unknown as Refund);
  return {
    json: { requestId, kind, status, result: shown.json },
    text: [`Request ${requestId} was approved by ${request.decidedBy ?? given.actor}.`, ...shown.text],
    problemFound: shown.problemFound ?? false,
  };
}

async function whatRejectEnds(given: Given): Promise<string[]> {
  const request = await knownRequest(given.text('request'));
  return [`${request.kind}, asked by ${request.askedBy}: ${detailText(request)}. It will not be executed.`];
}

async function reject(given: Given): Promise<Printed> {
  const { requestId, kind, status } = await rejectRequest(given.text('request'), given.actor);
  return { json: { requestId, kind, status }, text: [`Request ${requestId} is rejected. Nothing was moved.`] };
}

export const requestsVerb: Verb = {
  about: 'Lists the movements of money that wait for a second person.',
  options: {},
  destructive: false,
  run: list,
};

export const approveVerb: Verb = {
  about: 'Executes what another operator asked for.',
  options: { request: REQUEST },
  destructive: whatApproveMoves,
  run: approve,
};

export const rejectVerb: Verb = {
  about: 'Ends a request without a movement.',
  options: { request: REQUEST },
  destructive: whatRejectEnds,
  run: reject,
};
