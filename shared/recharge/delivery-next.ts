import type { Order } from './order.ts';

/** For operators: what each state of the report to WeChat means, and the command that can be run next. */
interface Next {
  state: 'none' | 'due' | 'reported' | 'refused';
  sentence: string;
  /** null: there is nothing to do. */
  command: string | null;
}

export function deliveryNext({ orderNo, delivery }: Order): Next {
  switch (delivery) {
    case null:
      return { state: 'none', sentence: 'WeChat need not be told that the units were delivered.', command: null };
    case 'due':
      return {
        state: 'due',
        sentence:
          'WeChat was not told yet that the units were delivered, and may keep the money until then. The recharge sweeper tries again.',
        command: null,
      };
    case 'reported':
      return { state: 'reported', sentence: 'WeChat knows that the units were delivered.', command: null };
    case 'refused':
      return {
        state: 'refused',
        sentence:
          "WeChat does not accept the report that the units were delivered; the alarm delivery-refused has the reason. Correct it and try again, or report it at WeChat's console.",
        command: `npm run -s portal -- recharge deliver --order ${orderNo}`,
      };
  }
}
