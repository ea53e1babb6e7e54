import { describe, expect, test } from 'vitest';
import { hasVisibleText, nameForm } from '../../shared/visible-text.ts';

describe('the form of a name', () => {
  test.each([
    ['Anna B', 'Anna  B'],
    ['Anna B', ' anna\u00a0\tB '],
    ['Anna B', 'An\u200bna\u2060 \ufeffB\u00ad'],
    ['Anna', 'Ａｎｎａ'],
    ['Strauß', 'STRAUSS'],
    ['STRAUẞ', 'strauss'],
    ['José', 'Jose\u0301'],
    ['ΣΑΣ', 'σας'],
  ])('is the same for %j and %j', (one, other) => expect(nameForm(one)).toBe(nameForm(other)));

  test.each([
    ['Anna B', 'AnnaB'],
    ['Anna', 'Anne'],
    ['José', 'Jose'],
  ])('differs for %j and %j', (one, other) => expect(nameForm(one)).not.toBe(nameForm(other)));
});

test.each([
  [''],
  [' '],
  ['\u00a0\u3000'],
  ['\ufeff'],
  ['\u200b\u200d'],
  ['\u3164'],
  ['\u2800'],
  ['\t\n'],
  ['\ud800'],
  ['\u202e'],
])('%j has no visible text', (text) => expect(hasVisibleText(text)).toBe(false));

test.each([['x'], [' 茶 '], ['\u200b0'], ['.'], ['👍']])('%j has visible text', (text) =>
  expect(hasVisibleText(text)).toBe(true),
);
