import { type Expression, parseSync, Visitor } from 'oxc-parser';
import { textOf } from './source-files.ts';

/** Stands for a value in a sentence. */
const VALUE = 'X1';
/** Two words with a space between them. */
const SENTENCE = /[A-Za-z]{2,}[,;:.]? ([^=]* )?[A-Za-z]{2,}/;
const NO_SENTENCE = /\b(SELECT|INSERT|UPDATE|DELETE|AND|FROM)\b|^(npm run|autoload|# In )|_id, /;

/** The sentences of a source file that a person may read, with a word in place of each value. */
export function shownTexts(file: string): string[] {
  const found: string[] = [];
  const parts = new Set<object>();
  const textOfNode = (node: Expression | { type: string }): string => {
    if (node.type === 'BinaryExpression' && 'left' in node && 'right' in node) {
      parts.add(node.left).add(node.right);
      return textOfNode(node.left as Expression) + textOfNode(node.right as Expression);
    }
    if (node.type === 'TemplateLiteral' && 'quasis' in node) {
      return node.quasis.map(({ value }) => value.cooked).join(VALUE);
    }
    return node.type === 'Literal' && 'value' in node && typeof node.value === 'string' ? node.value : VALUE;
  };
  const add = (node: Expression): void => {
    if (parts.has(node)) {
      if (node.type === 'BinaryExpression') textOfNode(node);
      return;
    }
    const text = textOfNode(node);
    if (SENTENCE.test(text) && !NO_SENTENCE.test(text)) found.push(text);
  };
  new Visitor({
    BinaryExpression(node) {
      if (node.operator === '+') add(node);
    },
    TemplateLiteral: add,
    Literal: (node) => add(node),
  }).visit(parseSync(file, textOf(file)).program);
  return found;
}
