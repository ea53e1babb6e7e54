import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { nouns } from '../../portal/nouns.ts';
import { runPortal } from '../../portal/run.ts';

async function scriptFor(shell: string): Promise<string> {
  const lines: string[] = [];
  const code = await runPortal(['completion', shell], { out: (line) => lines.push(line), err: () => {} });
  return code === 0 ? lines.join('\n') : '';
}

/** What bash offers after these words, the last of which is being typed. */
function offered(script: string, ...words: string[]): string[] {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: this is bash
  const ask = 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _miniapp_portal; printf "%s\\n" "${COMPREPLY[@]}"';
  const out = execFileSync('bash', ['-c', `${script}\n${ask}`, 'bash', 'portal', ...words], { encoding: 'utf8' });
  return out.split('\n').filter(Boolean);
}

test('bash completes nouns, verbs, options, values of options and resources', async () => {
  const script = await scriptFor('bash');
  expect(offered(script, 'rech')).toEqual(['recharge']);
  expect(offered(script, '')).toEqual(Object.keys(nouns));
  expect(offered(script, 'app', 'dis')).toEqual(['disable']);
  expect(offered(script, 'recharge', 'refund', '--ag')).toEqual(['--again']);
  expect(offered(script, 'recharge', 'refund', '--order', 'R1', '--am')).toEqual(['--amount-fen']);
  expect(offered(script, 'recharge', 'refund', '--yes', '--am')).toEqual(['--amount-fen']);
  expect(offered(script, 'app', 'list', '--lang', '')).toEqual(['en', 'zh']);
  expect(offered(script, 'data', 'put', 'no')).toEqual(['notice']);
  expect(offered(script, 'data', 'list', 'notice', '--list', 'new')).toEqual(['newest']);
  expect(offered(script, 'hot', '--l')).toEqual(['--limit', '--lang']);
  expect(offered(script, 'nothing', 'x')).toEqual([]);
});

test('the script knows every verb and every option', async () => {
  const script = await scriptFor('bash');
  for (const [name, load] of Object.entries(nouns)) {
    for (const [verbName, { options }] of Object.entries((await load()).verbs)) {
      const words = [name, verbName].filter(Boolean);
      const given = Object.keys(options).map((option) => `--${option} `);
      expect(script).toMatch(new RegExp(`^ +'${words.join(' ')}'\\) echo '.*${given.join('')}--json`, 'm'));
    }
  }
});

test('zsh gets the same function, and an unknown shell is refused', async () => {
  const [bash, zsh] = [await scriptFor('bash'), await scriptFor('zsh')];
  expect(zsh).toContain('bashcompinit');
  expect(zsh.slice(zsh.indexOf('portal()'))).toBe(bash.slice(bash.indexOf('portal()')));
  expect(await scriptFor('fish')).toBe('');
});
