/** Classifies a statement by its text. Values are removed first, so that a value is never read as SQL. */

type StatementKind = 'read' | 'write' | 'definition' | 'set' | 'use' | 'begin' | 'commit' | 'rollback' | 'other';

export interface Statement {
  sql: string;
  kind: StatementKind;
  /** The first word in lower case, such as "insert". */
  verb: string;
  /** The text without comments and with `?` for every literal. Error messages may contain it. */
  bare: string;
  /** Why PlanetScale refuses the statement. Absent when it does not. */
  unsupported?: string;
  asksLastInsertId: boolean;
  /** It sets variables on the connection, so that no other client may use this connection afterwards. */
  leavesTraces: boolean;
}

/**
 * Replaces literals by `?` and comments by a space. The text of executable comments stays, because the server runs it.
 */
export function withoutValues(sql: string): string {
  let bare = '';
  let at = 0;
  let from = 0;
  const cut = (end: number, instead: string): void => {
    bare += sql.slice(from, at) + instead;
    at = end;
    from = end;
  };
  while (at < sql.length) {
    const char = sql[at];
    if (char === "'" || char === '"') cut(endOfQuoted(sql, at, char), '?');
    else if (char === '`') at = endOfQuoted(sql, at, char);
    else if (char === '#' || (char === '-' && startsLineComment(sql, at))) cut(endOf(sql, '\n', at), ' ');
    else if (char === '/' && /^\/\*M?!/.test(sql.slice(at, at + 4))) {
      cut(at + 2 + (/^[M!]+\d*/.exec(sql.slice(at + 2, at + 12))?.[0].length ?? 1), ' ');
    } else if (char === '/' && sql[at + 1] === '*') cut(endOf(sql, '*/', at + 2), ' ');
    else if (char === '*' && sql[at + 1] === '/') cut(at + 2, ' ');
    else at += 1;
  }
  bare += sql.slice(from);
  return bare
    .replace(/(?<![\w`$])(?:0x[0-9a-f]+|[xb]\?|\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?![\w`$])/gi, '?')
    .replace(/\s+/g, ' ')
    .trim();
}

/**
 * `bare` with one backquote for every quoted name. An expression would need more stack than there is for long names.
 */
function withoutNames(bare: string): string {
  const parts: string[] = [];
  for (let at = 0; at < bare.length; ) {
    const quote = bare.indexOf('`', at);
    const open = quote === -1 ? bare.length : quote;
    parts.push(bare.slice(at, open), quote === -1 ? '' : '`');
    at = quote === -1 ? open : endOfQuoted(bare, open, '`');
  }
  return parts.join('');
}

/** Two dashes begin a comment only before white space, a control character or the end of the text. */
function startsLineComment(sql: string, at: number): boolean {
  return sql[at + 1] === '-' && !(sql.charCodeAt(at + 2) > 0x20);
}

const BACKSLASH = 0x5c;

function endOf(sql: string, mark: string, from: number): number {
  const found = sql.indexOf(mark, from);
  return found < 0 ? sql.length : found + mark.length;
}

function endOfQuoted(sql: string, start: number, quote: string): number {
  // Character codes are faster to compare than strings, and a statement may hold megabytes of text.
  const closing = quote.charCodeAt(0);
  for (let at = start + 1; at < sql.length; at += 1) {
    const code = sql.charCodeAt(at);
    if (code === BACKSLASH && quote !== '`') at += 1;
    else if (code === closing) {
      if (sql.charCodeAt(at + 1) !== closing) return at + 1;
      at += 1;
    }
  }
  return sql.length;
}

const KINDS: Record<string, StatementKind> = {
  ...kinds('read', 'select show explain describe desc values table'),
  ...kinds('write', 'insert update delete replace'),
  ...kinds('definition', 'create alter drop rename truncate analyze optimize'),
  set: 'set',
  use: 'use',
  begin: 'begin',
  start: 'begin',
  commit: 'commit',
  rollback: 'rollback',
};

function kinds(kind: StatementKind, verbs: string): Record<string, StatementKind> {
  return Object.fromEntries(verbs.split(' ').map((verb) => [verb, kind]));
}

/**
 * Beside those of KINDS. Every other statement is refused, also what a later server adds: many administer the server.
 */
const OTHER_VERBS = new Set(['do', 'release', 'rollback', 'savepoint', '']);

const DEFINED = /^(?:tables?|views?|index|unique|fulltext|spatial|sequence)$/;
/** What a definition has between its first word and the kind of the thing that it defines. */
const BEFORE_DEFINED = / or replace| online| ignore| algorithm ?= ?\w+| definer ?= ?\S+| sql security \w+/.source;
const DEFINERS = new Set(['create', 'alter', 'drop', 'rename']);
const DEFINITION = new RegExp(`^\\w+(?:${BEFORE_DEFINED})* (\\w+)`);

function unsupported(verb: string, { words, bare }: { words: string; bare: string }): string | undefined {
  if (!Object.hasOwn(KINDS, verb) && !OTHER_VERBS.has(verb)) return `${verb} statement`;
  if (verb === 'start' && !/^start transaction\b/.test(words)) return `${verb} statement`;
  const [, defined = ''] = DEFINITION.exec(words) ?? [];
  if (DEFINERS.has(verb) && !DEFINED.test(defined)) return `${verb} ${defined}`.trim();
  // The server takes the name of a function in quotes too.
  if (/\b(?:get_lock|release_lock|release_all_locks)`? ?\(/i.test(bare)) return 'named locks';
  if (/\bload_file`? ?\(/i.test(bare)) return 'files';
  if (/\binto (?:outfile|dumpfile)\b/.test(words)) return 'files';
  if (/^set (?:global|persist|password|role|default role|@@global)\b|^set .*\bautocommit\b/.test(words))
    return words.slice(0, 40);
  if (/^(?:insert|replace|delete)\b.*\breturning\b/.test(words)) return 'RETURNING';
  return undefined;
}

export function readStatement(sql: string): Statement {
  const bare = withoutValues(sql);
  const words = withoutNames(bare).toLowerCase();
  const verb = /^[(\s]*([a-z]+)/.exec(words)?.[1] ?? '';
  let kind = KINDS[verb] ?? 'other';
  if (verb === 'start' && !/^start transaction\b/.test(words)) kind = 'other';
  if (verb === 'rollback' && /^rollback( work)? to\b/.test(words)) kind = 'other';
  if (verb === 'with') kind = /\b(?:update|delete|insert|replace) /.test(words) ? 'write' : 'read';
  const why = unsupported(verb, { words, bare });
  return {
    sql,
    kind,
    verb,
    bare,
    ...(why === undefined ? {} : { unsupported: why }),
    asksLastInsertId: /\blast_insert_id ?\( ?\)|@@(?:session\.)?(?:last_insert_id|identity)\b/.test(words),
    leavesTraces: kind === 'set' || /(?<!@)@(?!@)/.test(words),
  };
}
