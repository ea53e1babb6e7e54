import type { RowDataPacket } from 'mysql2/promise';
import { adjust } from '../../shared/recharge/adjust.ts';
import { grant } from '../../shared/recharge/grant.ts';
import { captureHold, placeHold, releaseHold } from '../../shared/recharge/hold.ts';
import { spend, spendByServer } from '../../shared/recharge/spend.ts';
import type { TestStack } from './stack.ts';

/**
 * The part of the chaos that works on wallets directly. Every act is repeated until it is answered, so it has exactly
 * one outcome. The answers say what each wallet must have in the end: a balance that the ledger cannot know.
 */
export type WalletAnswers = Map<string, { userId: string; units: number }>;

interface Acting {
  appId: string;
  userId: string;
  /** Makes the keys of the acts unique. */
  name: string;
  draw: () => number;
  answers: WalletAnswers;
}

/** Units that expire do so while the seed runs. A hold of less than a second is only for this test. */
const SOON_MS = 250;

export function walletActs({ appId, userId, name, draw, answers }: Acting): Array<() => Promise<unknown>> {
  const below = (n: number) => Math.floor(draw() * n);
  const key = (what: string) => `${what}-${name}`;
  /** One outcome for each key, whatever number of calls had it. */
  const moved = (what: string, units: number) => answers.set(key(what), { userId, units });
  const twice = (act: () => Promise<unknown>) => [act, act];
  const acts: Array<() => Promise<unknown>> = [];
  if (draw() < 0.5) {
    const [own, servers] = [1 + below(90), 1 + below(40)];
    acts.push(
      async () => {
        await spend(appId, userId, key('spend'), { amount: own });
        moved('spend', -own);
      },
      ...twice(async () => {
        await spendByServer(appId, userId, key('server'), { amount: servers, reason: 'tea' });
        moved('server', -servers);
      }),
    );
  }
  if (draw() < 0.5) {
    const amount = 1 + below(50);
    const expiresAt = draw() < 0.6 ? new Date(Date.now() + SOON_MS + below(SOON_MS)).toISOString() : undefined;
    acts.push(
      ...twice(async () => {
        await grant(appId, userId, key('grant'), { amount, reason: 'gift', expiresAt });
        moved('grant', amount);
      }),
    );
  }
  if (draw() < 0.3) {
    const amount = draw() < 0.5 ? -1 - below(20) : 1 + below(20);
    const wanted = { appId, userId, amount, reason: 'count', allowDebt: draw() < 0.3 };
    acts.push(
      ...twice(async () => {
        await adjust(wanted, { key: key('adjust'), actor: 'chaos' });
        moved('adjust', amount);
      }),
    );
  }
  if (draw() < 0.6) acts.push(...holdActs());
  return acts;

  /** A hold, and captures and releases of it at the same time, of which one at most may win. */
  function holdActs(): Array<() => Promise<unknown>> {
    const [amount, part, seconds] = [2 + below(30), 1 + below(2), 0.05 + draw() / 2];
    const held = () => placeHold(appId, userId, key('hold'), { amount, reason: 'bid', seconds });
    const end = async (work: (holdId: string) => Promise<{ captured: number }>) => {
      const { captured } = await work((await held()).result.holdId);
      moved('hold', -captured);
    };
    return [
      ...twice(held),
      ...(draw() < 0.6 ? twice(() => end((id) => captureHold(appId, userId, id))) : []),
      ...(draw() < 0.4 ? twice(() => end((id) => captureHold(appId, userId, id, part))) : []),
      ...(draw() < 0.5 ? twice(() => end((id) => releaseHold(appId, userId, id))) : []),
    ];
  }
}

interface Walked {
  seq: number;
  balance: number;
  held: number;
  /** Of what the acts did, without what only the ledger knows: payments, refunds, expiries. */
  answered: number;
}

/** Goes through every wallet of the app, entry by entry, and compares it with its head and with the answers. */
export async function wrongWallets(stack: TestStack, appId: string, answers: WalletAnswers): Promise<string[]> {
  const wrong: string[] = [];
  const [rows] = await stack.mysql.query<RowDataPacket[]>(
    'SELECT * FROM ledger_entries WHERE app_id = ? ORDER BY user_id, seq',
    [appId],
  );
  const heads = rows.filter(({ seq }) => Number(seq) === 0);
  const wallets = new Map<string, Walked>();
  for (const entry of rows.filter(({ seq }) => Number(seq) > 0)) {
    const before = wallets.get(entry.user_id) ?? { seq: 0, balance: 0, held: 0, answered: 0 };
    const delta = Number(entry.delta);
    const after = {
      seq: before.seq + 1,
      balance: before.balance + delta,
      held: before.held + Number(entry.held_delta),
      answered: before.answered + (ANSWERED.has(entry.kind) ? delta : 0),
    };
    const name = `${entry.user_id}#${entry.seq}`;
    const fits = Number(entry.balance_after) === after.balance && Number(entry.held_after) === after.held;
    if (Number(entry.seq) !== after.seq || !fits) wrong.push(`${name}: chain broken`);
    const takes = delta < 0 || Number(entry.held_delta) > 0;
    const isSpend = entry.kind === 'spend' || entry.kind === 'hold';
    if (isSpend && takes && after.balance < after.held) wrong.push(`${name}: took what was not available`);
    wallets.set(entry.user_id, after);
  }
  for (const [userId, { seq, balance, held, answered }] of wallets) {
    const head = heads.find(({ user_id }) => user_id === userId);
    if (Number(head?.last_seq) !== seq || Number(head?.balance_after) !== balance) wrong.push(`${userId}: head behind`);
    if (held !== 0) wrong.push(`${userId}: ${held} units held after all holds ended`);
    const told = [...answers.values()].reduce((sum, answer) => sum + (answer.userId === userId ? answer.units : 0), 0);
    if (told !== answered) wrong.push(`${userId}: callers were told of ${told} units, the ledger has ${answered}`);
  }
  return wrong;
}

const ANSWERED: ReadonlySet<string> = new Set(['spend', 'hold_end', 'grant', 'adjust']);
