/**
 * Removes comments and spare white space from Lua in the bundles. Only a text with the tag `lua` (shared/script.ts) is
 * Lua. Every other text of a source is not changed.
 */
import { readFileSync } from 'node:fs';
import { parseSync, Visitor } from 'oxc-parser';

/** Stands for each `${...}` of a text while its comments and white space are removed. */
const HOLE = '\0';

/** @param {string} text */
export function slimLua(text) {
  if (/\[=*\[/.test(text)) throw new Error('Lua text has a long bracket, whose white space must stay');
  return (
    text
      .replace(/^[ \t]*--.*\n/gm, '')
      .replace(/^[ \t]+/gm, '')
      .replace(/\n+(?=\n)/g, '')
      // Not after a digit or a part: `1..` would begin a number. Not next to another minus: `--` would begin a comment.
      .replace(
        /[ \t]*('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|[=~<>]=|(?<![\d\0][ \t]*)\.\.|[=<>,+*/^%(){}[\]]|(?<!-[ \t]*)-(?![ \t]*-))[ \t]*/g,
        '$1',
      )
  );
}

/** @param {string} text */
const asTemplate = (text) => text.replace(/[\\`]|\$(?=\{)/g, '\\$&');

/** @param {string} text */
const lineBreaks = (text) => text.split('\n').length - 1;

/**
 * Slims tagged texts and removes the tag. Every later line keeps its number, so that breakpoints bind. It marks each script as pure, so that a bundle leaves out the scripts that
 * its function never sends.
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
      const removedLines = lineBreaks(source.slice(quasi.start, quasi.end)) - lineBreaks(slim.join(''));
      edits.push({ start: quasi.end, end: quasi.end, text: '\n'.repeat(removedLines) });
      quasi.quasis.forEach((part, index) => {
        // The span of a part includes its delimiters: ` or } before, ` or ${ after.
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
