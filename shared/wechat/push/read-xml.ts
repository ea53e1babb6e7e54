import { readUtf8 } from '../../foreign-input.ts';

/**
 * Reads the XML of a push: elements with text, CDATA or elements in them, and nothing else. A document type, an entity
 * of its own, an attribute, a comment or an instruction is refused, so a short text cannot grow and no address is ever
 * fetched. WeChat sends none of these. An XML library would bring all of them, to be switched off one by one.
 */
interface Element {
  name: string;
  text: string;
  children: Element[];
}

const DEEPEST = 8;
const TOKEN =
  /<(?<begin>[A-Za-z_][\w.-]{0,63})\s*(?<empty>\/?)>|<\/(?<end>[A-Za-z_][\w.-]{0,63})\s*>|<!\[CDATA\[(?<cdata>[\s\S]*?)\]\]>|(?<text>[^<]+)/y;
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const OTHER_ENTITY = /&(?!(?:lt|gt|amp|quot|apos);)/;

/**
 * The members of `<xml>`: texts, or objects of such members. A name that occurs several times has a list, so that none
 * of its values passes for the only one. null: anything else.
 */
export function readXml(bytes: Buffer): object | null {
  const root = readRoot((readUtf8(bytes) ?? '').trim());
  if (root?.name !== 'xml') return null;
  const members = membersOf(root);
  return typeof members === 'object' ? members : null;
}

/** null: the text is not one element, or holds what is not read here. */
function readRoot(source: string): Element | null {
  const document: Element = { name: '', text: '', children: [] };
  const open = [document];
  for (let at = 0; at < source.length; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const { begin, empty, end, cdata, text } = TOKEN.exec(source)?.groups ?? {};
    const current = open.at(-1) ?? document;
    if (begin !== undefined) {
      const element = { name: begin, text: '', children: [] };
      current.children.push(element);
      if (!empty) open.push(element);
      if (open.length > DEEPEST + 1) return null;
    } else if (end !== undefined) {
      if (open.pop()?.name !== end) return null;
    } else if (cdata !== undefined) {
      current.text += cdata;
    } else {
      if (text === undefined || OTHER_ENTITY.test(text)) return null;
      current.text += text.replace(/&(\w+);/g, (_, name: string) => ENTITIES[name] ?? '');
    }
  }
  const [root, ...others] = document.children;
  return root && others.length === 0 && open.length === 1 && document.text === '' ? root : null;
}

/** undefined: there is text between elements. */
function membersOf({ text, children }: Element): string | object | undefined {
  if (children.length === 0) return text;
  if (text.trim() !== '') return undefined;
  const members = new Map<string, unknown[]>();
  for (const child of children) {
    const value = membersOf(child);
    if (value === undefined) return undefined;
    const values = members.get(child.name);
    if (values) values.push(value);
    else members.set(child.name, [value]);
  }
  return Object.fromEntries([...members].map(([name, values]) => [name, values.length === 1 ? values[0] : values]));
}
