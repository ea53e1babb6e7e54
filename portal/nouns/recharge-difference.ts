import type { Finding } from '../../shared/recharge/books/finding.ts';
import type { SettledFinding } from '../../shared/recharge/books/settled.ts';
import type { Display } from '../command.ts';
import { translated } from '../language.ts';

/** One line for a finding: its sentence, where it is, its amounts, and of a difference the name under which it is settled. */
export function differenceLine(finding: Finding & Partial<SettledFinding>, { money, time }: Display): string {
  const { key, standing, line, sentence, billFen, ledgerFen, settled } = finding;
  const amounts = [
    ...(line === null ? [] : [translated(`line ${line}`)]),
    ...(billFen === null ? [] : [`${translated('bill')} ${money(billFen)}`]),
    ...(ledgerFen === null ? [] : [`${translated('books')} ${money(ledgerFen)}`]),
    ...(standing === 'explained' ? [] : [key]),
  ];
  const shown = `- ${translated(sentence)} (${amounts.join(', ')})`;
  if (!settled) return shown;
  return `${shown} ${translated(`settled: ${settled.reason} by ${settled.by} at ${time(settled.at)}`)}`;
}
