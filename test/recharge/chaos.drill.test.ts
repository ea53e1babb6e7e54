import { beforeAll, describe, expect, test } from 'vitest';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { creditThenMark, markThenCredit } from '../support/chaos-mistakes.ts';
import { runChaos } from '../support/recharge-chaos.ts';
import { openShop, type Shop } from '../support/recharge-fixture.ts';

/** CHAOS_SEEDS=2000 runs more seeds. CHAOS_FIRST=17 CHAOS_SEEDS=1 repeats seed 17. */
const FIRST = Number(process.env.CHAOS_FIRST ?? 1);
const SEEDS = Number(process.env.CHAOS_SEEDS ?? 200);
let shop: Shop;
beforeAll(async () => {
  shop = await openShop({ transactionSeconds: 0.4 });
});

describe('recharges with random faults', () => {
  test(
    `lose no money and create none, in ${SEEDS} seeds`,
    async () => {
      for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
        expect(await runChaos({ stack: shop.stack, seed }), `seed ${seed}`).toEqual([]);
      }
      expect((await auditLedger()).findings).toEqual([]);
    },
    600_000 + SEEDS * 3_000,
  );

  test.each([
    ['marks the order and then credits', markThenCredit],
    ['credits and then marks the order', creditThenMark],
  ])('show the error of a recharge that %s', { timeout: 300_000 }, async (_, settle) => {
    let wrong: string[] = [];
    for (let seed = 1; seed <= 100 && wrong.length === 0; seed++) {
      wrong = await runChaos({ stack: shop.stack, seed, settle });
    }
    expect(wrong).not.toEqual([]);
    expect((await auditLedger()).findings.length).toBeGreaterThan(0);
  });
});
