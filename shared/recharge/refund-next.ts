import type { Unreachable } from './reach.ts';
import type { Refund } from './refund-record.ts';

/** For operators: why a refund was closed, and what can be done next in each state. */
const REASONS: Record<NonNullable<Refund['refusal']>, string> = {
  cancelled: 'an operator cancelled it',
  'provider-closed': 'the provider closed it',
  'paid-already': 'another refund of the order, which was closed here, was paid back',
  'paid-later': 'it was closed here, and the provider paid it back later',
  'paid-twice': 'it was closed here, and the provider paid it back later, beside other refunds of the order',
  'not-allowed': 'the provider refused it: the payment allows no such refund',
  'bad-values': 'the provider refused it: it does not accept a value of it',
  'order-unknown': 'the provider refused it: it does not know the payment',
  'payer-account': "the provider refused it: the payer's account is closed or frozen",
  'trade-state': 'the provider refused it: the payment is in a state without refunds',
  'rule-limit': 'the provider refused it: a limit for refunds of this payment is reached',
  'merchant-balance': "the provider refused it: the merchant's balance is too low",
  'too-many-calls': 'the provider refused it: too many calls',
  settings: "the provider refused it: the merchant's settings are wrong",
  'at-apple': 'the payment was made through Apple: only its payer can ask for the money, in the App Store',
  other: 'the provider refused it',
};

/** undefined: it is not closed, and will not be. */
export const reasonOf = ({ refusal }: Pick<Refund, 'refusal'>): string | undefined =>
  refusal === null ? undefined : REASONS[refusal];

interface Next {
  sentence: string;
  /** null: there is nothing to do. */
  command: string | null;
}

/** `why`: nobody can be asked about its order. */
export function nextOf(refund: Refund, why: Unreachable | null): Next {
  const { status, origin } = refund;
  const isOpen = status !== 'success' && status !== 'closed';
  return why !== null && isOpen && origin === 'here' ? nextWithoutProvider(refund, why) : nextByState(refund);
}

/** Only a person can find out how it ended. */
function nextWithoutProvider({ refundNo, orderNo, amountFen, providerRefundId }: Refund, why: Unreachable): Next {
  const id = providerRefundId ?? 'ID';
  const command = `npm run -s portal -- recharge refund-cancel --refund ${refundNo} --unpaid`;
  if (why === 'merchant-removed')
    return {
      sentence: `Its merchant is not set here any more: set it again, or look at the merchant platform. If the money was paid back, run "recharge refund-book --order ${orderNo} --refund-id ${id} --amount-fen ${amountFen}"; if not, cancel it.`,
      command,
    };
  return {
    sentence: `Nobody knows its payer any more, so WeChat cannot be asked: look at WeChat's console. If the money was paid back, run "recharge refund-book --order ${orderNo} --refund-id ${id} --amount-fen ${amountFen}"; if not, cancel it.`,
    command,
  };
}

function nextByState({ refundNo, orderNo, status, origin, refusal, units }: Refund): Next {
  switch (status) {
    case 'accepted':
      return {
        sentence: 'The provider has not taken it yet, and the recharge sweeper tries again. It can be cancelled.',
        command: `npm run -s portal -- recharge refund-cancel --refund ${refundNo}`,
      };
    case 'cancelling':
      return {
        sentence: 'It is not sent again. The recharge sweeper asks the provider, and then returns the units.',
        command: `npm run -s portal -- recharge show --order ${orderNo}`,
      };
    case 'processing':
      return { sentence: 'The provider is paying the money back. It cannot be cancelled.', command: null };
    case 'abnormal':
      return {
        sentence:
          "The payer's account cannot receive the money, and the provider still holds it. Finish it at the merchant platform; the recharge sweeper follows its state.",
        command: null,
      };
    case 'closed':
      if (refusal === 'paid-later')
        return {
          sentence:
            'The money was paid back all the same, and is in the books as another refund. Nothing is left to do.',
          command: `npm run -s portal -- recharge show --order ${orderNo}`,
        };
      if (refusal === 'paid-twice')
        return {
          sentence: `The payer got more than was paid, and has the ${units} units. Ask for the money, or take the units with "recharge adjust".`,
          command: null,
        };
      return {
        sentence: 'No money was paid back, and the units were returned. It can be made again under a new number.',
        command: `npm run -s portal -- recharge refund-redo --refund ${refundNo}`,
      };
    case 'success':
      return {
        sentence:
          origin === 'here'
            ? 'The money was paid back. Nothing is left to do.'
            : 'The money was paid back at the provider, and the units were taken. Nothing is left to do.',
        command: null,
      };
  }
}
