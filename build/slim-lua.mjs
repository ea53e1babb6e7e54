/**
 * Lua travels without comments and spare white space. Only a text with the tag `lua` (shared/script.ts) is Lua: every
 * other text of a source reaches its bundle as it is written.
 */
import { readFileSync } from 'node:fs';
import { parseSync, Visitor } from 'oxc-parser';

/** Stands for each `${...}` of a text while it is slimmed. */
const HOLE = '\0';

/** @param {string} text */
export function slimLua(text) {
  if (/\[=*\[/.test(text)) throw new Error('a long bracket of Lua would lose white space that it needs');
  return (
    text
      .replace(/^[ \t]*--.*\n/gm, '')
      .replace(/^[ \t]+/gm, '')
      .replace(/\n+(?=\n)/g, '')
      // Not behind a digit or a part: `1..` would begin a number. Not beside another minus: `--` would begin a comment.
      .replace(
        /[ \t]*('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|[=~<>]=|(?<![\d\0][ \t]*)\.\.|[=<>,+*/^%(){}[\]]|(?<!-[ \t]*)-(?![ \t]*-))[ \t]*/g,
        '$1',
      )
  );
}

/** @param {string} text */
const asTemplate = (text) => text.replace(/[\\`]|\$(?=\{)/g, '\\$&');

/**
 * Slims what is tagged and takes the tag away; marks each script as pure, so that one which a function never sends is
 * left out of its bundle.
 * @param {string} path
 * @param {string} source
 */
function slimSource(path, source) {
  if (!/\blua`|\bScript\(/.test(source)) return source;
  const { program, errors } = parseSync(path, source);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  /** @type {{ start: number, end: number, text: string }[]} */
  const edits = [];
  new Visitor({
    NewExpression({ start, callee }) {
      if (callee.type === 'Identifier' && callee.name === 'Script')
        edits.push({ start, end: start, text: '/* @__PURE__ */ ' });
    },
    TaggedTemplateExpression({ start, tag, quasi }) {
      if (tag.type !== 'Identifier' || tag.name !== 'lua') return;
      const slim = slimLua(quasi.quasis.map(({ value }) => value.cooked).join(HOLE)).split(HOLE);
      edits.push({ start, end: quasi.start, text: '' });
      quasi.quasis.forEach((part, index) => {
        // The span of a part holds what ends it: ` or } before, ` or ${ after.
        edits.push({ start: part.start + 1, end: part.end - (part.tail ? 1 : 2), text: asTemplate(slim[index] ?? '') });
      });
    },
  }).visit(program);
  edits.sort((a, b) => b.start - a.start || b.end - a.end);
  let slimmed = source;
  for (const { start, end, text } of edits) slimmed = slimmed.slice(0, start) + text + slimmed.slice(end);
  return slimmed;
}

/** @type {import('esbuild').Plugin} */
export const slimScripts = {
  name: 'slim-scripts',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({
      contents: slimSource(path, readFileSync(path, 'utf8')),
      loader: 'ts',
    }));
  },
};
