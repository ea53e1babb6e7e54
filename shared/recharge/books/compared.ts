import { query, type Row } from '../../db.ts';
import { chinaDay } from './china-day.ts';
import type { Finding } from './finding.ts';
import { STORED } from './record.ts';
import { type SettledFinding, splitSettled } from './settled.ts';

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
  /** What the books had then. */
  bookedFen: number;
  bookedRefundsFen: number;
  /** 0: bill and books agree, but for what is settled. */
  differences: number;
  settled: SettledFinding[];
  /** What another day has. */
  explained: Finding[];
  comparedAt: string;
  comparedBy: string;
}

/**
 * The comparisons of the days, both included. One from before the end of its day does not count, and neither does one of
 * a former release, which read no other bill.
 */
export async function daysCompared(first: string, last: string): Promise<ComparedDay[]> {
  // The key of the table begins with the merchant. The merchants are found without reading their days.
  const rows = await query(
    `SELECT STRAIGHT_JOIN r.provider, r.merchant_id, r.provider_app_id, DATE_FORMAT(r.day, '%Y-%m-%d') AS day,
            r.payments, r.refunds, r.billed_fen, r.refunded_fen, r.booked_fen, r.booked_refunds_fen, r.differences,
            r.explained, r.compared_at, r.compared_by
       FROM (SELECT DISTINCT provider, merchant_id, provider_app_id FROM reconciliations) m
       JOIN reconciliations r ON r.provider = m.provider AND r.merchant_id = m.merchant_id
        AND r.provider_app_id = m.provider_app_id AND r.day >= ? AND r.day <= ?
      WHERE r.explained IS NOT NULL`,
    [first, last],
  );
  const days = await Promise.all(rows.map(dayFromRow));
  return days.filter(({ day, comparedAt }) => comparedAt >= chinaDay(day).to);
}

async function dayFromRow(row: Row): Promise<ComparedDay> {
  const differences = JSON.parse(String(row.differences)) as Finding[];
  const { open, settled } = await splitSettled(differences);
  return {
    provider: String(row.provider),
    merchantId: String(row.merchant_id),
    providerAppId: String(row.provider_app_id),
    day: String(row.day),
    payments: Number(row.payments),
    refunds: Number(row.refunds),
    billedFen: Number(row.billed_fen),
    refundedFen: Number(row.refunded_fen),
    bookedFen: Number(row.booked_fen),
    bookedRefundsFen: Number(row.booked_refunds_fen),
    // Of more, some are not stored.
    differences: differences.length < STORED ? open.length : differences.length,
    settled,
    explained: JSON.parse(String(row.explained)) as Finding[],
    comparedAt: String(row.compared_at),
    comparedBy: String(row.compared_by),
  };
}
