import { readFileSync } from 'node:fs';
import { build } from 'esbuild';
import { parseSync, Visitor } from 'oxc-parser';
import { beforeAll, describe, expect, test } from 'vitest';
import { bundles } from '../../build/bundles.mjs';
import { slimLua } from '../../build/slim-lua.mjs';
import { lua, Script } from '../../shared/script.ts';

interface Texts {
  /** Tagged `lua`. */
  lua: string[];
  /** Every other string, template and regular expression. */
  others: string[];
}

function textsOf(name: string, code: string): Texts {
  const texts: Texts = { lua: [], others: [] };
  const tagged = new Set<object>();
  new Visitor({
    TaggedTemplateExpression({ tag, quasi }) {
      if (tag.type === 'Identifier' && tag.name === 'lua') tagged.add(quasi);
    },
    TemplateLiteral(template) {
      const text = template.quasis.map(({ value }) => value.cooked).join('\0');
      texts[tagged.has(template) ? 'lua' : 'others'].push(text);
    },
    Literal({ value, raw }) {
      if (typeof value === 'string' || raw?.startsWith('/')) texts.others.push(String(value));
    },
  }).visit(parseSync(name, code).program);
  return texts;
}

async function textsOfBundles(options: Parameters<typeof build>[0]): Promise<Map<string, Texts>> {
  const { outputFiles } = await build({ ...options, outdir: 'dist', write: false, sourcemap: false });
  return new Map((outputFiles ?? []).map(({ path, text }) => [path, textsOf(path, text)]));
}

/** The texts that occur in `texts` more often than in `others`. */
function beyond(texts: string[], others: string[]): string[] {
  const left = new Map<string, number>();
  for (const text of others) left.set(text, (left.get(text) ?? 0) + 1);
  return texts.filter((text) => {
    const count = left.get(text) ?? 0;
    left.set(text, count - 1);
    return count <= 0;
  });
}

describe('the texts of a bundle', () => {
  let deployed: Map<string, Texts>;
  let asWritten: Map<string, Texts>;
  beforeAll(async () => {
    deployed = await textsOfBundles(bundles);
    // Names are not shortened, so that the tag can be seen.
    const asDeployed = { ...bundles, minify: false, minifySyntax: true, minifyWhitespace: true };
    asWritten = await textsOfBundles({ ...asDeployed, plugins: [] });
  });

  test('differ from those of the sources only in what is tagged lua', () => {
    expect(deployed.size).toBe(bundles.entryPoints.length);
    for (const [path, { lua: tagged, others }] of deployed) {
      const written = asWritten.get(path) as Texts;
      expect([path, tagged]).toEqual([path, []]);
      const slim = written.lua.map((text) => slimLua(text));
      expect([path, beyond(others, [...written.others, ...slim])]).toEqual([path, []]);
    }
  });

  test('contain all texts of the sources, except scripts that the function never sends', () => {
    const ofScripts = textsOf('script.ts', readFileSync('shared/script.ts', 'utf8')).others;
    // Without short names esbuild labels a CommonJS module with its path.
    const mayLack = (text: string) => ofScripts.includes(text) || /(^|\/)node_modules\//.test(text);
    for (const [path, { others }] of deployed) {
      const lost = beyond((asWritten.get(path) as Texts).others, others).filter((text) => !mayLack(text));
      expect([path, lost]).toEqual([path, []]);
    }
  });

  test('contain the scripts that the function sends, and no others', () => {
    const scripts = (name: string) => {
      const [, texts] = [...deployed].find(([path]) => path.endsWith(`/${name}.mjs`)) ?? [];
      return texts?.others.filter((text) => /redis\.call/.test(text)).length;
    };
    expect(scripts('health')).toBe(0);
    expect(scripts('login')).toBeGreaterThan(3);
  });
});

describe('Lua', () => {
  test('loses comments and unneeded white space, but nothing inside quotes or beside a part', () => {
    const text = `
      -- said once
      local a, b = 'x = 1', "y , 2"

      if a == b and not a then return \0 and a .. 'it\\'s - a' .. 1 .. b end -- a < b
      return 1 - -a - \0 + #{ 2 }
    `;
    expect(slimLua(text)).toBe(
      `\nlocal a,b='x = 1',"y , 2"\nif a==b and not a then return \0 and a..'it\\'s - a'..1 .. b end -- a<b\nreturn 1 - -a-\0+#{2}\n`,
    );
    expect(() => slimLua('local a = [[\n  two lines\n]]')).toThrow('long bracket');
  });

  test('without the tag is refused by the compiler, as a script and as a part of one', () => {
    const text: string = 'return 1';
    // @ts-expect-error The build would not shorten it.
    expect(new Script(text).text).toContain('return 1');
    // @ts-expect-error
    expect(lua`${text}`).toBe('return 1');
    expect(new Script(lua`return ${1} + #{${[2, 3]}}`).text).toContain('return 1 + #{2,3}');
  });
});
