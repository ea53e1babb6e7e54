import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readXml } from '../../shared/wechat/push/read-xml.ts';

const read = (text: string) => readXml(Buffer.from(text));

describe('the XML of a push', () => {
  test('is read as objects and texts', () => {
    expect(read('<xml><a>1</a><b><![CDATA[<i> ]] &amp;]]></b><c/><d></d></xml>')).toEqual({
      a: '1',
      b: '<i> ]] &amp;',
      c: '',
      d: '',
    });
    expect(read(' <xml>\n <a><b> x </b>\n<b>&lt;&gt;&amp;&quot;&apos;</b></a>\n</xml>\n')).toEqual({
      a: { b: [' x ', '<>&"\''] },
    });
  });

  test('has every member as an own one, whatever its name', () => {
    const read1 = read('<xml><__proto__><polluted>1</polluted></__proto__><constructor>2</constructor></xml>') ?? {};
    expect(Object.keys(read1)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(read1)).toBe(Object.prototype);
  });

  test('with anything else in it is refused', () => {
    const bomb = '<!DOCTYPE xml [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><xml><a>&b;</a></xml>';
    const outside = '<!DOCTYPE xml SYSTEM "http://127.0.0.1/x"><xml><a>1</a></xml>';
    const others = [
      '<xml><a>&b;</a></xml>',
      '<xml><a>&#60;</a></xml>',
      '<xml><a x="1">1</a></xml>',
      '<xml><!-- --></xml>',
    ];
    const broken = ['', '<xml>', '</xml>', '<xml></a>', '<xml><a></xml></a>', '<xml><a>1</a></xml><xml><a>1</a></xml>'];
    const misplaced = ['<xml>1<a>2</a></xml>', 'x<xml><a>1</a></xml>', '<other><a>1</a></other>', '<xml>text</xml>'];
    const unclosed = [
      '<xml><a><![CDATA[1</a></xml>',
      '<xml><a>1</a',
      '<xml><a>]]></xml>',
      '<?xml version="1.0"?><xml/>',
    ];
    for (const text of [bomb, outside, ...others, ...broken, ...misplaced, ...unclosed]) {
      expect(read(text), text).toBeNull();
    }
    expect(readXml(Buffer.from([0x3c, 0xff]))).toBeNull();
  });

  test('is refused below eight levels, and the longest text is read in one pass', () => {
    const nested = (levels: number) => `<xml>${'<a>'.repeat(levels)}${'</a>'.repeat(levels)}</xml>`;
    expect(read(nested(7))).not.toBeNull();
    expect(read(nested(8))).toBeNull();
    expect(read(nested(9_000))).toBeNull();
    expect(read(`<xml>${'<a/>'.repeat(16_000)}</xml>`)).toMatchObject({ a: { length: 16_000 } });
    expect(read(`<xml>${'<![CDATA['.repeat(7_000)}`)).toBeNull();
  });

  test('of any content is read or refused', () => {
    const pieces = fc.constantFrom(
      '<xml>',
      '</xml>',
      '<a>',
      '</a>',
      '<b/>',
      'x',
      ' ',
      '<![CDATA[',
      ']]>',
      '&amp;',
      '&',
      '<',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 20 }), (parts) => {
        const value = read(parts.join(''));
        expect(value === null || typeof value === 'object').toBe(true);
      }),
    );
  });
});
