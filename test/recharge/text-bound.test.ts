import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutTo, fits, type TextBound } from '../../shared/recharge/text-bound.ts';
import { WECHATPAY_BOUNDS } from '../../shared/recharge/wechatpay/bounds.ts';
import { checkPrepay, checkRefund } from '../../shared/recharge/wechatpay/input.ts';
import { XPAY_BOUNDS } from '../../shared/recharge/xpay/bounds.ts';

const bytes = (most: number): TextBound => ({ most, unit: 'bytes' });
const family = '👨‍👩‍👧‍👦';

describe('a text that is cut to the bound of a provider', () => {
  it('fits, begins as the text does, and is never half a character', () => {
    const texts = fc.array(fc.constantFrom('a', '枚', '😀', family, 'é', '👍🏽', ' ')).map((parts) => parts.join(''));
    fc.assert(
      fc.property(texts, fc.integer({ min: 30, max: 127 }), (text, most) => {
        const cut = cutTo(text, bytes(most));
        expect(text.startsWith(cut)).toBe(true);
        expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(most);
        expect(cut).not.toMatch(/\p{Cs}/u);
        if (Buffer.byteLength(text) <= most) expect(cut).toBe(text);
        else expect(Buffer.byteLength(cut)).toBeGreaterThan(most - 30);
      }),
    );
  });

  it('keeps an emoji of several parts whole, and cuts between its parts only if nothing else fits', () => {
    expect(cutTo(`金币${family}`, bytes(20))).toBe('金币');
    expect(cutTo(family, bytes(10))).toBe('👨‍');
  });

  it('is counted in the unit of the provider', () => {
    expect(fits('枚'.repeat(26), WECHATPAY_BOUNDS.reason)).toBe(true);
    expect(fits('枚'.repeat(27), WECHATPAY_BOUNDS.reason)).toBe(false);
    expect(fits('', WECHATPAY_BOUNDS.reason)).toBe(false);
    expect(fits('', XPAY_BOUNDS.attach)).toBe(true);
  });
});

describe('what is sent to WeChat Pay', () => {
  const order = {
    outTradeNo: 'order-0001',
    amountFen: 1,
    openid: 'o',
    description: 'x',
    expiresAtSeconds: 1_700_000_060,
  };
  const refund = { outTradeNo: 'order-0001', outRefundNo: 'r', refundFen: 1, totalFen: 1 };
  const description = (text: string) => () => checkPrepay({ ...order, description: text }, 1_700_000_000);
  const reason = (text: string) => () => checkRefund({ ...refund, reason: text });

  it.each([
    ['枚', 42, 26],
    ['😀', 31, 20],
    ['a', 127, 80],
  ])('has at most 127 bytes of description and 80 of reason: %s', (character, most, mostOfReason) => {
    expect(description(character.repeat(most))).not.toThrow();
    expect(description(character.repeat(most + 1))).toThrow('description');
    expect(reason(character.repeat(mostOfReason))).not.toThrow();
    expect(reason(character.repeat(mostOfReason + 1))).toThrow('reason');
  });

  it('is one line of whole characters', () => {
    for (const text of ['a\nb', 'half \ud83d', '']) {
      expect(description(text)).toThrow('description');
      expect(reason(text)).toThrow('reason');
    }
  });

  it('has numbers and addresses within their bounds', () => {
    const wrong = [
      ...[{ outTradeNo: 'short' }, { outTradeNo: 'x'.repeat(33) }, { openid: 'o'.repeat(129) }],
      ...[{ notifyUrl: `https://a.example/${'x'.repeat(240)}` }, { notifyUrl: 'https://a.example/?x' }],
    ];
    for (const change of wrong) {
      expect(() => checkPrepay({ ...order, ...change }, 1_700_000_000)).toThrow(Object.keys(change)[0] ?? '');
    }
    expect(() => checkRefund({ ...refund, outRefundNo: 'r'.repeat(65) })).toThrow('outRefundNo');
  });
});
