import { query } from '../../db.ts';
import { chinaDay } from './china-day.ts';

/** How the last comparison of a day ended, for one AppID. */
export interface ComparedDay {
  provider: string;
  merchantId: string;
  providerAppId: string;
  day: string;
  payments: number;
  refunds: number;
  billedFen: number;
  refundedFen: number;
  /** 0: bill and books agree. */
  differences: number;
  comparedAt: string;
  comparedBy: string;
}

/** The comparisons of the days, both included. A comparison from before the end of its day does not count. */
export async function daysCompared(first: string, last: string): Promise<ComparedDay[]> {
  // The key of the table begins with the merchant. The merchants are found without reading their days.
  const rows = await query(
    `SELECT STRAIGHT_JOIN r.provider, r.merchant_id, r.provider_app_id, DATE_FORMAT(r.day, '%Y-%m-%d') AS day,
            r.payments, r.refunds, r.billed_fen, r.refunded_fen, JSON_LENGTH(r.differences) AS differences,
            r.compared_at, r.compared_by
       FROM (SELECT DISTINCT provider, merchant_id, provider_app_id FROM reconciliations) m
       JOIN reconciliations r ON r.provider = m.provider AND r.merchant_id = m.merchant_id
        AND r.provider_app_id = m.provider_app_id AND r.day >= ? AND r.day <= ?`,
    [first, last],
  );
  const days = rows.map((row) => ({
    provider: String(row.provider),
    merchantId: String(row.merchant_id),
    providerAppId: String(row.provider_app_id),
    day: String(row.day),
    payments: Number(row.payments),
    refunds: Number(row.refunds),
    billedFen: Number(row.billed_fen),
    refundedFen: Number(row.refunded_fen),
    differences: Number(row.differences),
    comparedAt: String(row.compared_at),
    comparedBy: String(row.compared_by),
  }));
  return days.filter(({ day, comparedAt }) => comparedAt >= chinaDay(day).to);
}
