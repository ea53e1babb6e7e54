import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

/** Chinese pages, and files that are no prose of ours. */
const NOT_COVERED = /\.zh-CN\.md$|^docs\/zh-CN\/|(^|\/)package-lock\.json$|^test\/docs\/plain-english\.test\.ts$/;

interface Rule {
  /** Words or phrases; they are found in any case, also where a line ends between two words. */
  words: readonly string[];
  write: string;
  /** Where the word is right, or is a name that callers know: the text around it, and why. */
  allowed?: Readonly<Record<string, string>>;
  /** A sentence that the rule has to find. */
  found: string;
}

const RULES: readonly Rule[] = [
  {
    words: ['away'],
    write: 'is down, does not answer; removes',
    allowed: {
      'right away': 'means at once',
      'throw away': 'means discard',
      'thrown away': 'means discard',
      'has gone away': 'the text of MySQL itself',
      '`mysql.replica-away`': 'the former name of a count, in CHANGELOG',
      'the value `away`': 'a former value, in CHANGELOG',
    },
    found: 'With Redis away reads go on.',
  },
  { words: ['whoever'], write: 'the one who does it: the caller, the writer, anybody who', found: 'Whoever asks.' },
  { words: ['anew'], write: 'again', found: 'Sign the call anew.' },
  { words: ['mend', 'mends', 'mended', 'mending'], write: 'correct, repair, fix', found: 'The sweeper mends it.' },
  { words: ['for ever'], write: 'permanently, without end', found: 'It would stay for\n * ever.' },
  { words: ['is none of'], write: 'is not one of', found: 'It is none of ours.' },
  {
    words: ['go on', 'goes on', 'went on', 'going on', 'gone on'],
    write: 'continue',
    found: 'The call goes on.',
  },
  {
    words: ['he', 'him', 'his', 'himself', 'she', 'her', 'hers', 'herself'],
    write: 'they, the user, the operator',
    found: 'The user is out with his next request.',
  },
  { words: ['to be had'], write: 'cannot be loaded, is missing', found: 'The record is not to be had.' },
];

/** What may stand between two words of a phrase: a line's end, and the marks of a comment on the next line. */
const GAP = '[\\s*/#>-]+';
const patternOf = ({ words }: Rule): RegExp =>
  new RegExp(`(?<!\\w)(?:${words.map((word) => word.replaceAll(' ', GAP)).join('|')})(?!\\w)`, 'gi');

/** The text without what a rule allows, on lines of the same numbers. */
const withoutAllowed = (text: string, { allowed = {} }: Rule): string =>
  Object.keys(allowed).reduce((rest, phrase) => rest.replaceAll(phrase, ''), text);

function findingsOf(text: string, rule: Rule): Array<{ line: number; found: string }> {
  const rest = withoutAllowed(text, rule);
  return [...rest.matchAll(patternOf(rule))].map((match) => ({
    line: rest.slice(0, match.index).split('\n').length,
    found: match[0].replace(/\s+/g, ' '),
  }));
}

/** What installs, builds and runs leave behind is not the project's text. */
const IGNORED = new Set(
  ['.git', ...readFileSync('.gitignore', 'utf8').split('\n')].map((name) => name.replace('/', '')),
);

function filesIn(path: string): string[] {
  if (statSync(path).isFile()) return NOT_COVERED.test(path) ? [] : [path];
  const names = readdirSync(path).filter((name) => !IGNORED.has(name));
  return names.flatMap((name) => filesIn(join(path, name)));
}

const texts = filesIn('.').map((file): [string, string] => [file, readFileSync(file, 'utf8')]);

describe('the text of the project', () => {
  test('is checked at all, documents and code', () => {
    const files = texts.map(([file]) => file);
    for (const some of ['README.md', 'docs/glossary.md', 'shared/errors.ts', 'serverless.yml']) {
      expect(files).toContain(some);
    }
  });

  test.each(RULES)('does not say $words.0 or its other forms', (rule) => {
    const findings = texts.flatMap(([file, text]) =>
      findingsOf(text, rule).map(({ line, found }) => `${file}:${line} "${found}"`),
    );
    expect(findings, `write instead: ${rule.write}`).toEqual([]);
  });
});

describe('the list of words', () => {
  test.each(RULES)('finds $words.0', (rule) => {
    expect(findingsOf(rule.found, rule)).toHaveLength(1);
  });

  test.each(RULES.filter(({ allowed }) => allowed))('lets the exceptions of $words.0 pass', (rule) => {
    for (const phrase of Object.keys(rule.allowed ?? {})) expect(findingsOf(`a ${phrase} b`, rule), phrase).toEqual([]);
  });

  test('leaves words alone that only look like these', () => {
    const text =
      'The recommended way: then there is a header, for every answer, in this order. It is gone; on it goes.';
    expect(RULES.flatMap((rule) => findingsOf(text, rule))).toEqual([]);
  });
});
